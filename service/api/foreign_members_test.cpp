// Members of other kinds than the model's, and members that an operation does not have: each is refused or dropped.
#include "service/api/shapes.h"
#include "service/api/testing.h"

namespace ogni::service {
namespace {

using testing::ApiTest;
using testing::Reply;
namespace json = boost::json;

const json::value kValues[] = {nullptr,
                               true,
                               0,
                               1.5,
                               1e300,
                               std::uint64_t{1} << 63U,
                               "",
                               "text",
                               json::array{},
                               json::array{1},
                               json::object{},
                               json::object{{"ogni:rootfs", 1}}};

TEST_F(ApiTest, DropsMembersThatAnOperationDoesNotHave) {
  start();
  create_active("f");
  const json::object code{{"ZipFile", to_base64(testing::make_zip())}, {"DryRun", true}};
  for (const std::string_view name : {"Tags", "Publish", "Architectures", "Layers", "Code", "Environment",
                                      "PackageType", "CodeSigningConfigArn", "ZipFile", "", "Runtime"}) {
    for (const json::value& value : kValues) {
      if (name != "Architectures" && name != "Publish" && name != "ZipFile") {
        json::object body = code;
        body[to_json_view(name)] = value;
        const Reply reply = call("PUT", "/2015-03-31/functions/f/code", json::serialize(body));
        EXPECT_EQ(reply.status, 200) << json::serialize(body) << reply.body;
      }
      if (name != "Layers" && name != "Environment" && name != "Runtime") {
        const json::object body{{to_json_view(name), value}, {"Timeout", 0}};
        const Reply reply = call("PUT", "/2015-03-31/functions/none/configuration", json::serialize(body));
        EXPECT_EQ(refusal(reply).find("400 ValidationException: 1 validation error detected: Value '0' at 'timeout'"),
                  0U)
            << json::serialize(body) << reply.body;
      }
    }
  }
}

TEST_F(ApiTest, RefusesMembersOfAnotherKind) {
  start();
  create_active("f");
  for (const Shape* shape : {&shapes::kUpdateFunctionConfiguration, &shapes::kUpdateFunctionCode}) {
    const std::string path = shape == &shapes::kUpdateFunctionCode ? "code" : "configuration";
    for (const Member& member : shape->members) {
      for (const json::value& value : kValues) {
        json::object body{{to_json_view(member.name), value}, {"RevisionId", "another"}};
        const Reply reply = call("PUT", "/2015-03-31/functions/f/" + path, json::serialize(body));
        EXPECT_TRUE(reply.status < 500 || reply.status == 501) << json::serialize(body) << reply.body;
      }
    }
  }
  EXPECT_EQ(configuration("f")["Timeout"], 3);
}

TEST(KeepKnownMembers, ReachesIntoStructuresAndTheirLists) {
  json::value document = json::parse(
      R"({"Tags":1,"Role":null,"Timeout":"x","VpcConfig":{"SubnetIds":[],"More":1},"Environment":[],
          "FileSystemConfigs":[{"Arn":"a","Other":{}},1]})");
  json::object& object = document.as_object();
  keep_known_members(object, shapes::kUpdateFunctionConfiguration);
  EXPECT_EQ(document, json::parse(R"({"Timeout":"x","VpcConfig":{"SubnetIds":[]},"Environment":[],
                                      "FileSystemConfigs":[{"Arn":"a"},1]})"));
}

}  // namespace
}  // namespace ogni::service
