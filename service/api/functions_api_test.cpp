#include "service/api/testing.h"

namespace ogni::service {
namespace {

using testing::ApiTest;
using testing::make_zip;
using testing::Reply;
namespace json = boost::json;

TEST_F(ApiTest, CreatesAFunctionWithAwsDefaults) {
  start({.activation_delay = std::chrono::hours(1)});
  const std::string zip = make_zip();
  const Reply reply = create(new_function("f", zip));
  const json::object f = parse(reply);

  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(text(f, "FunctionName"), "f");
  EXPECT_EQ(text(f, "FunctionArn"), "arn:aws:lambda:us-east-1:000000000000:function:f");
  EXPECT_EQ(text(f, "Runtime"), "provided.al2023");
  EXPECT_EQ(text(f, "Handler"), "hello.handler");
  EXPECT_EQ(text(f, "Description"), "");
  EXPECT_TRUE(f.contains("Description"));
  EXPECT_EQ(f.at("CodeSize").to_number<std::size_t>(), zip.size());
  const Sha256 digest = sha256(zip);
  EXPECT_EQ(text(f, "CodeSha256"), to_base64({reinterpret_cast<const char*>(digest.data()), digest.size()}));
  EXPECT_EQ(f.at("Timeout").as_int64(), 3);
  EXPECT_EQ(f.at("MemorySize").as_int64(), 128);
  EXPECT_EQ(text(f, "Version"), "$LATEST");
  EXPECT_EQ(json::serialize(f.at("TracingConfig")), R"({"Mode":"PassThrough"})");
  EXPECT_EQ(json::serialize(f.at("Architectures")), R"(["x86_64"])");
  EXPECT_EQ(json::serialize(f.at("EphemeralStorage")), R"({"Size":512})");
  EXPECT_EQ(json::serialize(f.at("SnapStart")), R"({"ApplyOn":"None","OptimizationStatus":"Off"})");
  EXPECT_EQ(json::serialize(f.at("LoggingConfig")), R"({"LogFormat":"Text","LogGroup":"/aws/lambda/f"})");
  EXPECT_EQ(text(f, "PackageType"), "Zip");
  EXPECT_EQ(text(f, "State"), "Pending");
  EXPECT_EQ(text(f, "StateReason"), "The function is being created.");
  EXPECT_EQ(text(f, "StateReasonCode"), "Creating");
  const std::string runtime = text(f.at("RuntimeVersionConfig").as_object(), "RuntimeVersionArn");
  EXPECT_TRUE(runtime.starts_with("arn:aws:lambda:us-east-1::runtime:"));
  EXPECT_EQ(runtime.size(), std::string("arn:aws:lambda:us-east-1::runtime:").size() + 64);
  for (const char* absent :
       {"Environment", "Layers", "LastUpdateStatus", "VpcConfig", "DeadLetterConfig", "KMSKeyArn"}) {
    EXPECT_FALSE(f.contains(absent)) << absent;
  }
}

TEST_F(ApiTest, BecomesActiveWithANewRevisionThenUpdatesWithTwoMore) {
  start();
  const json::object created = parse(create(new_function("f")));
  ASSERT_TRUE(becomes("f", "State", "Active"));
  const json::object active = configuration("f");
  EXPECT_EQ(text(active, "LastUpdateStatus"), "Successful");
  EXPECT_FALSE(active.contains("StateReason"));
  EXPECT_NE(text(active, "RevisionId"), text(created, "RevisionId"));

  const Reply updated = call("PUT", "/2015-03-31/functions/f/configuration",
                             R"({"MemorySize":256,"Environment":{"Variables":{"AB":"c"}}})");
  const json::object during = parse(updated);
  EXPECT_EQ(updated.status, 200);
  EXPECT_EQ(text(during, "State"), "Active");
  EXPECT_EQ(text(during, "LastUpdateStatus"), "InProgress");
  EXPECT_EQ(text(during, "LastUpdateStatusReasonCode"), "Creating");
  EXPECT_EQ(during.at("MemorySize").as_int64(), 256);
  EXPECT_EQ(json::serialize(during.at("Environment")), R"({"Variables":{"AB":"c"}})");
  ASSERT_TRUE(becomes("f", "LastUpdateStatus", "Successful"));
  EXPECT_NE(text(configuration("f"), "RevisionId"), text(during, "RevisionId"));
  EXPECT_NE(text(during, "RevisionId"), text(active, "RevisionId"));
  const auto retired = loop_.run([this] { return invoker_.retired_older; });
  ASSERT_EQ(retired.size(), 2U);
  EXPECT_EQ(retired[0].first, retired[1].first);
  EXPECT_LT(retired[0].second, retired[1].second);
}

TEST_F(ApiTest, GivesBackTheCodeByALinkAndTheTags) {
  start();
  const std::string zip = make_zip(std::string(700'000, 'x'));
  json::object f = new_function("f", zip);
  f["Tags"] = {{"team", "a"}};
  ASSERT_EQ(create(f).status, 201);

  const Reply reply = call(
      "GET", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af?Qualifier=$LATEST");
  const json::object got = parse(reply);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(text(got.at("Configuration").as_object(), "FunctionArn"),
            "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST");
  EXPECT_EQ(json::serialize(got.at("Tags")), R"({"team":"a"})");
  EXPECT_EQ(text(got.at("Code").as_object(), "RepositoryType"), "S3");
  const std::string location = text(got.at("Code").as_object(), "Location");
  ASSERT_TRUE(location.starts_with("http://127.0.0.1/_ogni/code/")) << location;

  const std::string path = location.substr(std::string("http://127.0.0.1").size());
  const Reply download = call("GET", path);
  EXPECT_EQ(download.status, 200);
  EXPECT_TRUE(download.body == zip);
  EXPECT_EQ(call("GET", path.substr(0, path.size() - 1) + "x").status, 403);
  EXPECT_EQ(call("GET", path.substr(0, path.find('?'))).status, 403);
}

TEST_F(ApiTest, ListsFunctionsPageByPageWithoutState) {
  start();
  for (const char* name : {"a", "b", "c"}) create_active(name);

  const json::object first = parse(call("GET", "/2015-03-31/functions/?MaxItems=2"));
  ASSERT_EQ(first.at("Functions").as_array().size(), 2U);
  const json::object entry = first.at("Functions").as_array()[0].as_object();
  EXPECT_EQ(text(entry, "FunctionName"), "a");
  for (const char* absent : {"State", "LastUpdateStatus", "RuntimeVersionConfig"}) EXPECT_FALSE(entry.contains(absent));
  const std::string marker = text(first, "NextMarker");
  ASSERT_NE(marker, "");

  const json::object second = parse(call("GET", "/2015-03-31/functions?FunctionVersion=ALL&Marker=" + marker));
  ASSERT_EQ(second.at("Functions").as_array().size(), 1U);
  EXPECT_EQ(text(second.at("Functions").as_array()[0].as_object(), "FunctionArn"),
            "arn:aws:lambda:us-east-1:000000000000:function:c:$LATEST");
  EXPECT_TRUE(second.at("NextMarker").is_null());

  EXPECT_EQ(call("GET", "/2015-03-31/functions?MaxItems=0").status, 400);
  EXPECT_EQ(call("GET", "/2015-03-31/functions?MaxItems=x").status, 400);
  EXPECT_EQ(call("GET", "/2015-03-31/functions?FunctionVersion=SOME").status, 400);
  EXPECT_EQ(call("GET", "/2015-03-31/functions?Marker=nonsense").status, 400);
}

TEST_F(ApiTest, UpdatesCodeAndChecksTheRevision) {
  start();
  create_active("f");
  const json::object before = configuration("f");
  const std::string zip = make_zip("#!/bin/bash\n");
  const std::string code = R"("ZipFile":")" + to_base64(zip) + "\"";

  const json::object dry = parse(call("PUT", "/2015-03-31/functions/f/code", "{" + code + R"(,"DryRun":true})"));
  EXPECT_NE(text(dry, "CodeSha256"), text(before, "CodeSha256"));
  EXPECT_EQ(text(configuration("f"), "CodeSha256"), text(before, "CodeSha256"));

  EXPECT_EQ(refusal(call("PUT", "/2015-03-31/functions/f/code", "{" + code + R"(,"RevisionId":"old"})")),
            "412 PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id");

  const Reply updated =
      call("PUT", "/2015-03-31/functions/f/code",
           "{" + code + R"(,"Architectures":["arm64"],"RevisionId":")" + text(before, "RevisionId") + "\"}");
  EXPECT_EQ(updated.status, 200) << updated.body;
  EXPECT_EQ(text(parse(updated), "CodeSha256"), text(dry, "CodeSha256"));
  EXPECT_EQ(json::serialize(parse(updated).at("Architectures")), R"(["arm64"])");
  EXPECT_EQ(refusal(call("PUT", "/2015-03-31/functions/f/code", "{" + code + R"(,"Publish":true})")),
            "501 NotImplementedException: Publish (versions of functions) is not implemented by Ogni yet.");
}

TEST_F(ApiTest, RefusesAChangeWhileAnotherIsInProgress) {
  start({.activation_delay = std::chrono::hours(1)});
  ASSERT_EQ(create(new_function("f")).status, 201);

  EXPECT_EQ(
      refusal(call("PUT", "/2015-03-31/functions/f/configuration", R"({"Timeout":5})")),
      "409 ResourceConflictException: The operation cannot be performed at this time. An update is in progress for "
      "resource: arn:aws:lambda:us-east-1:000000000000:function:f");
  EXPECT_EQ(refusal(create(new_function("f"))), "409 ResourceConflictException: Function already exist: f");
}

TEST_F(ApiTest, DeletesAFunctionOnce) {
  start();
  create_active("f");

  EXPECT_EQ(refusal(call("DELETE", "/2015-03-31/functions/f?Qualifier=%24LATEST")),
            "400 InvalidParameterValueException: $LATEST version cannot be deleted without deleting the function.");
  EXPECT_EQ(call("DELETE", "/2015-03-31/functions/f?Qualifier=3").status, 204);
  EXPECT_EQ(call("DELETE", "/2015-03-31/functions/f").status, 204);
  EXPECT_EQ(refusal(call("DELETE", "/2015-03-31/functions/f")),
            "404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f");
  EXPECT_EQ(call("GET", "/2015-03-31/functions/f").status, 404);
  EXPECT_EQ(loop_.run([this] { return invoker_.retired_all.size(); }), 1U);
  create_active("f");
}

TEST_F(ApiTest, KeepsWhatDoesNotActYetAndLetsItBeTakenBack) {
  start();
  json::object f = new_function("f");
  f["VpcConfig"] = {{"SubnetIds", {"subnet-1"}}, {"SecurityGroupIds", {"sg-1"}}};
  f["DeadLetterConfig"] = {{"TargetArn", "arn:aws:sqs:us-east-1:000000000000:q"}};
  f["KMSKeyArn"] = "arn:aws:kms:us-east-1:000000000000:key/k";
  f["LoggingConfig"] = {{"LogFormat", "JSON"}};
  f["TracingConfig"] = {{"Mode", "Active"}};
  f["Environment"] = {{"Variables", json::object()}};
  f["Unknown"] = 1;
  ASSERT_EQ(create(f).status, 201);
  ASSERT_TRUE(becomes("f", "State", "Active"));

  json::object got = configuration("f");
  EXPECT_EQ(json::serialize(got.at("VpcConfig")),
            R"({"SubnetIds":["subnet-1"],"SecurityGroupIds":["sg-1"],"VpcId":"","Ipv6AllowedForDualStack":false})");
  EXPECT_EQ(text(got.at("DeadLetterConfig").as_object(), "TargetArn"), "arn:aws:sqs:us-east-1:000000000000:q");
  EXPECT_EQ(text(got, "KMSKeyArn"), "arn:aws:kms:us-east-1:000000000000:key/k");
  EXPECT_EQ(json::serialize(got.at("LoggingConfig")),
            R"({"LogFormat":"JSON","ApplicationLogLevel":"INFO","SystemLogLevel":"INFO","LogGroup":"/aws/lambda/f"})");
  EXPECT_EQ(text(got.at("TracingConfig").as_object(), "Mode"), "Active");
  EXPECT_EQ(json::serialize(got.at("Environment")), R"({"Variables":{}})");
  EXPECT_FALSE(got.contains("Unknown"));

  ASSERT_EQ(call("PUT", "/2015-03-31/functions/f/configuration",
                 R"({"VpcConfig":{"SubnetIds":[],"SecurityGroupIds":[]},"DeadLetterConfig":{},"KMSKeyArn":""})")
                .status,
            200);
  got = configuration("f");
  for (const char* gone : {"DeadLetterConfig", "KMSKeyArn"}) EXPECT_FALSE(got.contains(gone)) << gone;
}

TEST_F(ApiTest, ReportsItsUse) {
  start();
  create_active("f");

  const json::object settings = parse(call("GET", "/2016-08-19/account-settings/"));
  EXPECT_EQ(settings.at("AccountUsage").as_object().at("FunctionCount").to_number<int>(), 1);
  EXPECT_EQ(settings.at("AccountUsage").as_object().at("TotalCodeSize").to_number<std::size_t>(), make_zip().size());
  EXPECT_EQ(settings.at("AccountLimit").as_object().at("ConcurrentExecutions").to_number<int>(), 1000);
}

}  // namespace
}  // namespace ogni::service
