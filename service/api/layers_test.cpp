#include "service/api/testing.h"

namespace ogni::service {
namespace {

using testing::ApiTest;
using testing::make_zip;
using testing::Reply;
namespace json = boost::json;

class LayersTest : public ApiTest {
 protected:
  Reply publish(const std::string& name, const std::string& zip, const std::string& more = "") {
    return call("POST", "/2018-10-31/layers/" + name + "/versions",
                R"({"Content":{"ZipFile":")" + to_base64(zip) + "\"}" + more + "}");
  }
};

TEST_F(LayersTest, PublishesVersionsAndReadsThemByNumberAndArn) {
  start();
  const std::string zip = make_zip("v1");
  const Reply reply =
      publish("l", zip, R"(,"Description":"d","CompatibleRuntimes":["provided.al2023"],"LicenseInfo":"MIT")");
  const json::object first = parse(reply);

  EXPECT_EQ(reply.status, 201) << reply.body;
  EXPECT_EQ(text(first, "LayerArn"), "arn:aws:lambda:us-east-1:000000000000:layer:l");
  EXPECT_EQ(text(first, "LayerVersionArn"), "arn:aws:lambda:us-east-1:000000000000:layer:l:1");
  EXPECT_EQ(first.at("Version").as_int64(), 1);
  EXPECT_EQ(text(first, "Description"), "d");
  EXPECT_EQ(text(first, "LicenseInfo"), "MIT");
  EXPECT_EQ(json::serialize(first.at("CompatibleRuntimes")), R"(["provided.al2023"])");
  EXPECT_EQ(first.at("Content").as_object().at("CodeSize").to_number<std::size_t>(), zip.size());
  EXPECT_EQ(parse(publish("l", make_zip("v2"))).at("Version").as_int64(), 2);

  const json::object got = parse(call("GET", "/2018-10-31/layers/l/versions/1"));
  EXPECT_EQ(text(got, "LayerVersionArn"), text(first, "LayerVersionArn"));
  const std::string location = text(got.at("Content").as_object(), "Location");
  EXPECT_TRUE(call("GET", location.substr(std::string("http://127.0.0.1").size())).body == zip);
  const Reply by_arn = call(
      "GET", "/2018-10-31/layers?find=LayerVersion&Arn=arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Alayer%3Al%3A2");
  EXPECT_EQ(parse(by_arn).at("Version").as_int64(), 2);
}

TEST_F(LayersTest, ListsNewestFirstAndDeletes) {
  start();
  for (const char* content : {"1", "2", "3"}) publish("l", make_zip(content));
  publish("m", make_zip("m"), R"(,"CompatibleRuntimes":["provided.al2"])");

  const json::object page = parse(call("GET", "/2018-10-31/layers/l/versions?MaxItems=2"));
  ASSERT_EQ(page.at("LayerVersions").as_array().size(), 2U);
  EXPECT_EQ(page.at("LayerVersions").as_array()[0].at("Version").as_int64(), 3);
  const json::object rest = parse(call("GET", "/2018-10-31/layers/l/versions?Marker=" + text(page, "NextMarker")));
  ASSERT_EQ(rest.at("LayerVersions").as_array().size(), 1U);
  EXPECT_TRUE(rest.at("NextMarker").is_null());

  const json::object layers = parse(call("GET", "/2018-10-31/layers"));
  ASSERT_EQ(layers.at("Layers").as_array().size(), 2U);
  EXPECT_EQ(layers.at("Layers").as_array()[0].at("LatestMatchingVersion").at("Version").as_int64(), 3);
  const json::object filtered = parse(call("GET", "/2018-10-31/layers?CompatibleRuntime=provided.al2"));
  ASSERT_EQ(filtered.at("Layers").as_array().size(), 1U);
  EXPECT_EQ(text(filtered.at("Layers").as_array()[0].as_object(), "LayerName"), "m");

  EXPECT_EQ(call("DELETE", "/2018-10-31/layers/l/versions/3").status, 204);
  EXPECT_EQ(call("DELETE", "/2018-10-31/layers/l/versions/3").status, 204);
  EXPECT_EQ(refusal(call("GET", "/2018-10-31/layers/l/versions/3")),
            "404 ResourceNotFoundException: The resource you requested does not exist.");
  EXPECT_EQ(parse(publish("l", make_zip("4"))).at("Version").as_int64(), 4);
}

TEST_F(LayersTest, RefusesBadNamesVersionsAndZips) {
  start();
  EXPECT_TRUE(refusal(publish("a%20b", make_zip()))
                  .starts_with("400 ValidationException: 1 validation error detected: Value 'a b' at 'layerName'"));
  EXPECT_EQ(refusal(call("GET", "/2018-10-31/layers/l/versions/0")),
            "400 InvalidParameterValueException: Layer Version Cannot be less than 1");
  EXPECT_EQ(call("GET", "/2018-10-31/layers/l/versions/x").status, 400);
  EXPECT_EQ(call("GET", "/2018-10-31/layers/l/versions/99999999999999999999").status, 400);
  EXPECT_EQ(call("GET", "/2018-10-31/layers?find=LayerVersion").status, 400);
  EXPECT_EQ(call("GET", "/2018-10-31/layers?MaxItems=51").status, 400);
  EXPECT_EQ(call("GET", "/2018-10-31/layers?CompatibleRuntime=cobol").status, 400);
  EXPECT_TRUE(refusal(publish("l", "no zip"))
                  .starts_with("400 InvalidParameterValueException: Could not unzip uploaded file."));
  EXPECT_TRUE(
      refusal(publish("l", make_zip(), R"(,"CompatibleRuntimes":["cobol"])")).starts_with("400 ValidationException: "));
  EXPECT_TRUE(refusal(call("POST", "/2018-10-31/layers/l/versions", "{}"))
                  .starts_with("400 ValidationException: 1 validation error detected: Value null at 'content'"));
  EXPECT_EQ(json::serialize(parse(call("GET", "/2018-10-31/layers/l/versions"))),
            R"({"LayerVersions":[],"NextMarker":null})");
}

TEST_F(LayersTest, BelongToFunctionsEvenAfterTheirDeletion) {
  start();
  const std::string arn = "arn:aws:lambda:us-east-1:000000000000:layer:l:";
  publish("l", make_zip("1"));
  publish("l", make_zip("2"));
  json::object f = new_function("f");
  f["Layers"] = {arn + "1"};
  ASSERT_EQ(create(f).status, 201);
  ASSERT_TRUE(becomes("f", "State", "Active"));
  EXPECT_EQ(json::serialize(configuration("f").at("Layers")),
            R"([{"Arn":")" + arn + R"(1","CodeSize":)" + std::to_string(make_zip("1").size()) + "}]");

  EXPECT_EQ(call("DELETE", "/2018-10-31/layers/l/versions/1").status, 204);
  EXPECT_TRUE(configuration("f").contains("Layers"));
  const auto set = [this](const std::string& layers) {
    return call("PUT", "/2015-03-31/functions/f/configuration", R"({"Layers":[)" + layers + "]}");
  };
  EXPECT_EQ(refusal(set('"' + arn + "1\"")),
            "400 InvalidParameterValueException: Layer version " + arn + "1 does not exist.");
  EXPECT_EQ(
      refusal(set('"' + arn + "2\",\"" + arn + "1\"")),
      "400 InvalidParameterValueException: Two different versions of the same layer are not allowed to be referenced "
      "in the same function. " +
          arn + "2 and " + arn + "1 are versions of the same layer.");
  EXPECT_EQ(
      refusal(set(R"("arn:aws:lambda:eu-west-1:000000000000:layer:l:2")")),
      "400 InvalidParameterValueException: Layers are not in the same region as the function. Layers are expected to "
      "be in region us-east-1.");
  EXPECT_EQ(set(R"("arn:aws:lambda:us-east-1:111111111111:layer:l:2")").status, 403);
  std::string six;
  for (int i = 0; i < 6; ++i) six += (i > 0 ? "," : "") + ('"' + arn + "2\"");
  EXPECT_EQ(refusal(set(six)), "400 InvalidParameterValueException: Cannot reference more than 5 layers.");
  EXPECT_EQ(set("").status, 200);
  EXPECT_FALSE(configuration("f").contains("Layers"));
}

}  // namespace
}  // namespace ogni::service
