// Answers that AWS words in ways of its own, which its model does not tell.
#include "service/api/payload_error.h"
#include "service/api/signature.h"
#include "service/api/testing.h"

namespace ogni::service {
namespace {

using testing::ApiTest;
using testing::make_zip;
using testing::Reply;
namespace json = boost::json;

constexpr std::string_view kHome = "arn:aws:lambda:us-east-1:000000000000:";
const std::string kFunctions = "/2015-03-31/functions/";
const std::string kConstraint = "' failed to satisfy constraint: Member must ";

TEST_F(ApiTest, NamesBothWhatIsWrongWithANameAndItsQualifier) {
  start();
  const std::string pattern =
      "satisfy regular expression pattern: "
      "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?"
      "-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"
      "([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
  const std::string name = "arn:aws:lambda:invalid-region:000000000000:function:f" + std::string(170, 'a');
  EXPECT_EQ(refusal(call("GET", kFunctions + name)), "400 ValidationException: 1 validation error detected: Value '" +
                                                         name + "' at 'functionName" + kConstraint + pattern);
  const std::string qualifier(129, 'q');
  EXPECT_EQ(refusal(call("POST", kFunctions + name + "/invocations?Qualifier=" + qualifier, "{}")),
            "400 ValidationException: 2 validation errors detected: Value '" + qualifier + "' at 'qualifier" +
                kConstraint + "have length less than or equal to 128; Value '" + name + "' at 'functionName" +
                kConstraint + pattern);
  EXPECT_EQ(refusal(call("GET", kFunctions + "f?Qualifier=" + qualifier)).substr(0, 71),
            "400 ValidationException: 1 validation error detected: Value "
            "'qqqqqqqqqq");
  EXPECT_EQ(refusal(call("GET", kFunctions + std::string(257, 'a'))).substr(0, 60),
            "400 ValidationException: 1 validation error detected: Value ");
  EXPECT_EQ(refusal(call("GET", kFunctions + "my.function")),
            "404 ResourceNotFoundException: Function not found: " + std::string(kHome) + "function:my.function");
  EXPECT_EQ(refusal(call("PUT", kFunctions + "my.function/configuration", "{}")).substr(0, 25),
            "400 ValidationException: ");
}

TEST_F(ApiTest, TakesWhatLooksLikeACutArnAsAName) {
  start();
  const std::string missing = "404 ResourceNotFoundException: Function not found: " + std::string(kHome) + "function:";
  EXPECT_EQ(refusal(call("GET", kFunctions + std::string(kHome) + "function")), missing + "function");
  EXPECT_EQ(refusal(call("POST", kFunctions + std::string(kHome) + "function/invocations", "{}")),
            missing + "function:$LATEST");
  EXPECT_EQ(create(new_function(std::string(kHome) + "function")).status, 201);
  EXPECT_EQ(call("GET", kFunctions + "function").status, 200);
}

TEST_F(ApiTest, AnswersDeletionsOfQualifiersAsAwsDoes) {
  start();
  create_active("f");
  const auto remove = [this](const std::string& target) { return call("DELETE", kFunctions + target); };
  const std::string missing = "404 ResourceNotFoundException: Function not found: " + std::string(kHome) + "function:";
  EXPECT_EQ(refusal(remove("f?Qualifier=" + std::string(65, 'a'))),
            "400 InvalidParameterValueException: Deletion of aliases is not "
            "currently supported.");
  EXPECT_EQ(refusal(remove("none?Qualifier=v1")),
            "400 InvalidParameterValueException: Deletion of aliases is not "
            "currently supported.");
  EXPECT_EQ(refusal(remove("none?Qualifier=$latest")), missing + "none");
  EXPECT_EQ(refusal(remove("none?Qualifier=12")), missing + "none");
  EXPECT_EQ(remove("f?Qualifier=12").status, 204);
  EXPECT_EQ(refusal(remove("f?Qualifier=$LATEST")),
            "400 InvalidParameterValueException: $LATEST version cannot be "
            "deleted without deleting the function.");
  EXPECT_EQ(call("GET", kFunctions + "f").status, 200);
}

TEST_F(ApiTest, RefusesLevelsOfLogsInText) {
  start();
  create_active("f");
  const std::string refused =
      "400 InvalidParameterValueException: LogLevel is not supported when "
      "LogFormat is set to \"Text\". Remove LogLevel from "
      "your request or change the LogFormat to \"JSON\" and try again.";
  const auto set = [this](const std::string& logging) {
    const Reply reply = call("PUT", kFunctions + "f/configuration", R"({"LoggingConfig":)" + logging + "}");
    if (reply.status == 200) EXPECT_TRUE(becomes("f", "LastUpdateStatus", "Successful"));
    return reply;
  };
  EXPECT_EQ(refusal(set(R"({"LogFormat":"Text","ApplicationLogLevel":"INFO"})")), refused);
  EXPECT_EQ(refusal(set(R"({"SystemLogLevel":"WARN"})")), refused);
  EXPECT_EQ(set(R"({"LogFormat":"JSON","SystemLogLevel":"WARN"})").status, 200);
  EXPECT_EQ(set(R"({"ApplicationLogLevel":"DEBUG"})").status, 200);
  EXPECT_EQ(json::serialize(configuration("f").at("LoggingConfig")),
            R"({"LogFormat":"JSON","SystemLogLevel":"WARN","ApplicationLogLevel":"DEBUG","LogGroup":"/aws/lambda/f"})");
  EXPECT_EQ(refusal(set(R"({"LogFormat":"Text","SystemLogLevel":"INFO"})")), refused);
  json::object g = new_function("g");
  g["LoggingConfig"] = {{"LogFormat", "Text"}, {"SystemLogLevel", "INFO"}};
  EXPECT_EQ(refusal(create(g)), refused);
}

TEST_F(ApiTest, KeepsEmptyListsOfAVpcThatAFunctionWasTakenOutOf) {
  start();
  create_active("f");
  const auto set = [this](const std::string& vpc) {
    const Reply reply = call("PUT", kFunctions + "f/configuration", R"({"VpcConfig":)" + vpc + "}");
    if (reply.status == 200) EXPECT_TRUE(becomes("f", "LastUpdateStatus", "Successful"));
    return reply;
  };
  EXPECT_EQ(set("{}").status, 200);
  EXPECT_FALSE(configuration("f").contains("VpcConfig"));
  EXPECT_EQ(set(R"({"SubnetIds":["subnet-1"],"SecurityGroupIds":["sg-1"]})").status, 200);
  EXPECT_EQ(set(R"({"SubnetIds":[],"SecurityGroupIds":[]})").status, 200);
  EXPECT_EQ(json::serialize(configuration("f").at("VpcConfig")),
            R"({"SubnetIds":[],"SecurityGroupIds":[],"VpcId":"","Ipv6AllowedForDualStack":false})");
  EXPECT_EQ(refusal(set(R"({"SubnetIds":["bad"],"SecurityGroupIds":["sg-1"]})")),
            "400 ValidationException: 1 validation error detected: Value '[bad]' at "
            "'vpcConfig.subnetIds' failed to satisfy "
            "constraint: Member must satisfy constraint: [Member must have length "
            "less than or equal to 1024, Member must "
            "have length greater than or equal to 0, Member must satisfy regular "
            "expression pattern: subnet-[0-9a-z]*]");
}

TEST_F(ApiTest, GivesANewRevisionForEachChangeOfTags) {
  start();
  create_active("f");
  const std::string path = "/2017-03-31/tags/" + std::string(kHome) + "function:f";
  const std::string before = text(configuration("f"), "RevisionId");
  EXPECT_EQ(call("POST", path, R"({"Tags":{"a":"1"}})").status, 204);
  const std::string tagged = text(configuration("f"), "RevisionId");
  EXPECT_NE(tagged, before);
  EXPECT_EQ(call("DELETE", path + "?tagKeys=a").status, 204);
  EXPECT_NE(text(configuration("f"), "RevisionId"), tagged);
  EXPECT_EQ(refusal(call("POST", path, R"({"Tags":{}})")),
            "400 InvalidParameterValueException: An error occurred and the "
            "request cannot be processed.");
  EXPECT_EQ(refusal(call("DELETE", path)),
            "400 ValidationException: 1 validation error detected: Value null "
            "at 'tagKeys' failed to satisfy constraint: "
            "Member must not be null");
  EXPECT_EQ(refusal(call("GET", path + ":live")),
            "400 InvalidParameterValueException: Tags on function aliases and "
            "versions are not supported. Please specify a "
            "function ARN.");
  for (const char* other : {"event-source-mapping:00000000-0000-4000-8000-000000000000", "capacity-provider:some",
                            "layer:some", "code-signing-config:csc-0123456789abcdef0"}) {
    EXPECT_EQ(call("GET", "/2017-03-31/tags/" + std::string(kHome) + other).status, 404) << other;
  }
}

TEST_F(ApiTest, NamesTheSetsOfLayersThatAwsNames) {
  start();
  const std::string body =
      R"({"Content":{"ZipFile":")" + to_base64(make_zip()) + R"("},"CompatibleArchitectures":[],"CompatibleRuntimes":)";
  const json::object made = parse(call("POST", "/2018-10-31/layers/l/versions", body + "[]}"));
  EXPECT_EQ(json::serialize(made.at("CompatibleRuntimes")), "[]");
  EXPECT_EQ(json::serialize(made.at("CompatibleArchitectures")), "[]");
  const std::string refused = refusal(call("POST", "/2018-10-31/layers/l/versions", body + R"(["cobol"]})"));
  EXPECT_TRUE(
      refused.starts_with("400 ValidationException: 1 validation error "
                          "detected: Value '[cobol]' at "
                          "'compatibleRuntimes' failed to satisfy constraint: "
                          "Member must satisfy enum value set: ["))
      << refused;
  EXPECT_EQ(refused.find("ruby2.7"), std::string::npos);
  const std::string listed = refusal(call("GET", "/2018-10-31/layers?CompatibleRuntime=cobol"));
  EXPECT_NE(listed.find("nasa"), std::string::npos) << listed;
}

TEST_F(ApiTest, RepeatsBytesThatAreNoUtf8AsJson) {
  start();
  for (const char* target : {"/2015-03-31/functions/by%ff", "/2015-03-31/functions/f?Qualifier=%c3%28",
                             "/2015-03-31/functions?FunctionVersion=%ff", "/2017-03-31/tags/%fe",
                             "/2018-10-31/layers/%ff/versions", "/2018-10-31/layers?CompatibleRuntime=%80"}) {
    const Reply reply = call("GET", target);
    EXPECT_EQ(reply.status, 400) << target;
    EXPECT_TRUE(is_utf8(reply.body)) << target;
    EXPECT_NE(refusal(reply).find("\xef\xbf\xbd"), std::string::npos) << reply.body;
  }
  const Reply header = call("POST", "/2015-03-31/functions/f/invocations", "{}", "X-Amz-Invocation-Type: \xff\xfe\r\n");
  EXPECT_EQ(header.status, 400);
  EXPECT_TRUE(is_utf8(header.body));
}

TEST(PayloadError, HasTheWordsOfAwssParser) {
  const std::string source =
      "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` "
      "disabled); line: ";
  const std::string at = "\n at " + source;
  const std::string values = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
  const std::pair<std::string, std::string> cases[] = {
      {"\x6e\x87\x72", "Invalid UTF-8 start byte 0x87" + at + "1, column: 3]"},
      {"\x99\xeb",
       "Unexpected character ((CTRL-CHAR, code 153)): expected a valid value " + values + at + "1, column: 1]"},
      {"foo", "Unrecognized token 'foo': was expecting " + values + at + "1, column: 4]"},
      {"nul", "Unrecognized token 'nul': was expecting " + values + at + "1, column: 4]"},
      {"{a:1}",
       "Unexpected character ('a' (code 97)): was expecting "
       "double-quote to start field name" +
           at + "1, column: 2]"},
      {"{\n\"a\" 1}",
       "Unexpected character ('1' (code 49)): was expecting a "
       "colon to separate field name and value" +
           at + "2, column: 5]"},
      {"[1",
       "Unexpected end-of-input: expected close marker for Array (start "
       "marker at " +
           source + "1, column: 1])" + at + "1, column: 3]"},
      {"[1 2]",
       "Unexpected character ('2' (code 50)): was expecting comma to "
       "separate Array entries" +
           at + "1, column: 4]"},
      {"\"a", "Unexpected end-of-input in VALUE_STRING" + at + "1, column: 3]"},
      {"[}", "Unexpected close marker '}': expected ']' (for Array starting at " + source + "1, column: 1])" + at +
                 "1, column: 3]"},
      {"{}", ""},
      {" [1, -2.5e3, \"\\u00e9\", {\"a\": null}] ", ""},
  };
  for (const auto& [payload, words] : cases) EXPECT_EQ(payload_error(payload), words) << payload;
}

SignatureScope scope(std::string_view header) {
  http::Request request;
  request.set_head(http::Method::kGet, "/");
  request.add_header("Authorization", header);
  return signature_scope(request).value_or(SignatureScope{.region = "none", .service = "none"});
}

TEST(SignatureScope, IsReadFromEveryFormOfASignature) {
  const auto v4 = scope(
      "AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/s3/aws4_request, "
      "SignedHeaders=host, Signature=0");
  EXPECT_EQ(v4.region, "eu-west-1");
  EXPECT_EQ(v4.service, "s3");
  const auto v4a = scope(
      "AWS4-ECDSA-P256-SHA256 "
      "Credential=AK/20260101/lambda/aws4_request,SignedHeaders=host");
  EXPECT_EQ(v4a.region, "");
  EXPECT_EQ(v4a.service, "lambda");
  for (const char* other : {"", "Bearer AWS4", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=",
                            "AWS4-HMAC-SHA256 Credential=/aws4_request", "AWS4-HMAC-SHA256 Credential=a/b/aws4",
                            "AWS4-HMAC-SHA256 Credential=x//aws4_request", "AWS AK:signature"}) {
    EXPECT_EQ(scope(other).service, "none") << other;
  }
  http::Request link;
  link.set_head(http::Method::kGet,
                "/b/"
                "k?X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fs3%2Faws4_"
                "request&X-Amz-Signature=0");
  EXPECT_EQ(signature_scope(link)->service, "s3");
}

TEST_F(ApiTest, TellsClientsOfOtherServicesInTheirFormat) {
  start();
  const auto signed_for = [](std::string_view service) {
    return "Authorization: AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/" + std::string(service) +
           "/aws4_request, SignedHeaders=host, Signature=0\r\n";
  };
  const Reply s3 = call("GET", "/bucket/key", {}, signed_for("s3"));
  EXPECT_EQ(s3.status, 501);
  EXPECT_NE(s3.body.find("<Error><Code>NotImplemented</Code><Message>This "
                         "endpoint is AWS Lambda"),
            std::string::npos)
      << s3.body;
  const Reply sts = call("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15",
                         signed_for("sts") + "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n");
  EXPECT_NE(sts.body.find("<ErrorResponse><Error><Type>Sender</"
                          "Type><Code>InvalidAction</Code>"),
            std::string::npos)
      << sts.body;
  client_ = std::make_unique<testing::Client>(port_);
  const Reply logs = call("POST", "/", "{}",
                          signed_for("logs") +
                              "X-Amz-Target: Logs_20140328.DescribeLogGroups\r\n"
                              "Content-Type: application/x-amz-json-1.1\r\n");
  EXPECT_EQ(logs.header("Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(text(parse(logs), "__type"), "UnknownOperationException");
  client_ = std::make_unique<testing::Client>(port_);
  EXPECT_EQ(call("GET", "/2015-03-31/functions", {}, signed_for("lambda")).status, 200);
  const Reply elsewhere = call("GET", "/2015-03-31/functions", {},
                               "Authorization: AWS4-HMAC-SHA256 "
                               "Credential=AK/20260101/eu-west-1/lambda/aws4_request, Signature=0\r\n");
  EXPECT_TRUE(
      refusal(elsewhere).starts_with("403 InvalidSignatureException: Credential should be scoped to a valid "
                                     "region."))
      << elsewhere.body;
}

}  // namespace
}  // namespace ogni::service
