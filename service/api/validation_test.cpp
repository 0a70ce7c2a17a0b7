#include <filesystem>

#include "service/api/testing.h"
#include "service/managed_runtimes.h"

namespace ogni::service {
namespace {

using testing::ApiTest;
using testing::make_zip;
using testing::Reply;
namespace json = boost::json;

json::object with(json::object function, std::string_view member, json::value value) {
  function[json::string_view(member.data(), member.size())] = std::move(value);
  return function;
}

TEST_F(ApiTest, RefusesMembersOutOfTheModelInAwsWords) {
  start();
  const json::object good = new_function("f");
  const std::pair<json::object, std::string> cases[] = {
      {with(good, "Timeout", 0),
       "400 ValidationException: 1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: "
       "Member must have value greater than or equal to 1"},
      {with(good, "Timeout", "x"), "400 SerializationException: STRING_VALUE can not be converted to an Integer"},
      {with(good, "Timeout", 1e300), "400 SerializationException: DECIMAL_VALUE can not be converted to an Integer"},
      {with(good, "Timeout", json::object()),
       "400 SerializationException: Start of structure or map found where not expected."},
      {with(good, "MemorySize", 127),
       "400 ValidationException: 1 validation error detected: Value '127' at 'memorySize' failed to satisfy "
       "constraint: Member must have value greater than or equal to 128"},
      {with(good, "MemorySize", 10241),
       "400 ValidationException: 1 validation error detected: Value '10241' at 'memorySize' failed to satisfy "
       "constraint: Member must have value less than or equal to 10240"},
      {with(good, "FunctionName", "bad name"),
       "400 ValidationException: 1 validation error detected: Value 'bad name' at 'functionName' failed to satisfy "
       "constraint: Member must satisfy regular expression pattern: "
       "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)"
       "?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"},
      {with(good, "FunctionName", json::string(std::string(65, 'n'))),
       "400 InvalidParameterValueException: 1 validation error detected: Value '" + std::string(65, 'n') +
           "' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64"},
      {with(good, "FunctionName", "arn:aws:lambda:eu-west-1:000000000000:function:f"),
       "404 ResourceNotFoundException: Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
      {with(good, "FunctionName", "111111111111:function:f"), "403 AccessDeniedException: "},
      {with(good, "Handler", "a b"),
       "400 ValidationException: 1 validation error detected: Value 'a b' at 'handler' failed to satisfy constraint: "
       "Member must satisfy regular expression pattern: [^\\s]+"},
      {with(good, "Architectures", json::array{"mips"}),
       "400 ValidationException: 1 validation error detected: Value '[mips]' at 'architectures' failed to satisfy "
       "constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must "
       "not "
       "be null]"},
      {with(good, "Runtime", "cobol"),
       "400 InvalidParameterValueException: Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy "
       "enum value set: ["},
      {with(good, "Runtime", "python3.7"),
       "400 InvalidParameterValueException: The runtime parameter of python3.7 is no longer supported for creating or "
       "updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."},
      {with(good, "Runtime", "dotnet8"),
       "400 InvalidParameterValueException: The runtime dotnet8 is not available on this host. It has: "
       "provided.al2023, provided.al2"},
      {with(good, "Runtime", nullptr),
       "400 InvalidParameterValueException: Runtime and Handler are mandatory parameters for functions created with "
       "deployment packages."},
      {with(good, "PackageType", "Image"),
       "400 InvalidParameterValueException: Ogni runs functions of PackageType Zip"},
      {with(good, "Code", json::object{{"S3Bucket", "bucket"}, {"S3Key", "k"}}),
       "400 InvalidParameterValueException: Ogni has no S3 to read code from."},
      {with(good, "Code", json::object()),
       "400 InvalidParameterValueException: Please provide a source for function code."},
      {with(good, "Code", json::object{{"ZipFile", "bm8gemlw"}}),
       "400 InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload "
       "again."},
      {with(good, "Code", json::object{{"ZipFile", "%%%"}}),
       "400 InvalidParameterValueException: Could not unzip uploaded file."},
      {with(good, "Publish", true), "501 NotImplementedException: Publish"},
      {with(good, "DurableConfig", json::object()),
       "501 NotImplementedException: DurableConfig is not implemented by Ogni yet."},
      {with(good, "CodeSigningConfigArn", "arn:x"),
       "404 CodeSigningConfigNotFoundException: The code signing configuration cannot be found."},
      {with(good, "Environment", json::object{{"Variables", {{"AWS_REGION", "x"}, {"_HANDLER", "y"}}}}),
       "400 ValidationException: 1 validation error detected: Value at "
       "'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy "
       "regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"},
      {with(good, "Environment", json::object{{"Variables", {{"AWS_REGION", "x"}}}}),
       "400 InvalidParameterValueException: Lambda was unable to configure your environment variables because the "
       "environment variables you have provided contains reserved keys that are currently not supported for "
       "modification. Reserved keys used in this request: AWS_REGION"},
      {with(good, "Environment", json::object{{"Variables", {{"AB", std::string(4096, 'v')}}}}),
       "400 InvalidParameterValueException: Lambda was unable to configure your environment variables because the "
       "environment variables you have provided exceeded the 4KB limit. String measured: {\"AB\":\"vvv"},
      {with(good, "Environment", json::object{{"Variables", {{"AB", std::string_view("a\0b", 3)}}}}),
       "400 InvalidParameterValueException: The value of an environment variable holds a NUL character: AB"},
      {with(good, "Layers", json::array{"arn:aws:lambda:us-east-1:000000000000:layer:l"}),
       "400 ValidationException: 1 validation error detected: Value '[arn:aws:lambda:us-east-1:000000000000:layer:l]' "
       "at 'layers' failed to satisfy constraint: Member must satisfy constraint: ["},
      {with(good, "Layers", json::array{"arn:aws:lambda:us-east-1:000000000000:layer:l:1"}),
       "400 InvalidParameterValueException: Layer version arn:aws:lambda:us-east-1:000000000000:layer:l:1 does not "
       "exist."},
      {json::object(),
       "400 ValidationException: 3 validation errors detected: Value null at 'functionName' failed to satisfy "
       "constraint: Member must not be null; Value null at 'role' failed to satisfy constraint: Member must not be "
       "null; Value null at 'code' failed to satisfy constraint: Member must not be null"},
  };
  for (const auto& [function, expected] : cases) {
    const std::string got = refusal(create(function));
    EXPECT_EQ(got.substr(0, expected.size()), expected);
  }
  EXPECT_EQ(call("GET", "/2015-03-31/functions/f").status, 404);
  EXPECT_EQ(create(good).status, 201);
}

TEST_F(ApiTest, RefusesBodiesThatAreNoJsonObject) {
  start();
  for (const std::string& body :
       {std::string("{"), std::string("nonsense"), std::string("{\"a\":\xff}"), std::string(100'000, '['),
        "{\"a\":" + std::string(50, '[') + std::string(50, ']') + "}"}) {
    const std::string got = refusal(call("POST", "/2015-03-31/functions", body));
    EXPECT_TRUE(got.starts_with("400 InvalidRequestContentException: Could not parse request body into json: ")) << got;
  }
  EXPECT_TRUE(refusal(call("POST", "/2015-03-31/functions", "[]")).starts_with("400 SerializationException: "));
}

TEST_F(ApiTest, RefusesNamesInAwsOrder) {
  start();
  create_active("f");
  const auto get = [this](const std::string& target) {
    return refusal(call("GET", "/2015-03-31/functions/" + target));
  };

  EXPECT_TRUE(
      get("a%20b").starts_with("400 ValidationException: 1 validation error detected: Value 'a b' at 'functionName'"));
  EXPECT_TRUE(get("f?Qualifier=a%20b")
                  .starts_with("400 ValidationException: 1 validation error detected: Value 'a b' at 'qualifier'"));
  EXPECT_EQ(get("arn%3Aaws%3Alambda%3Aeu-west-1%3A111111111111%3Afunction%3Af"),
            "404 ResourceNotFoundException: Functions from 'eu-west-1' are not reachable in this region ('us-east-1')");
  EXPECT_EQ(get("111111111111%3Afunction%3Af"), "403 AccessDeniedException: ");
  EXPECT_EQ(get("f:1?Qualifier=2"),
            "400 InvalidParameterValueException: The derived qualifier from the function name does not match the "
            "specified qualifier.");
  EXPECT_EQ(get("f:live"),
            "404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:live");
  EXPECT_EQ(get("nope"),
            "404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nope");
  EXPECT_EQ(call("GET", "/2015-03-31/functions/000000000000:function:f:$LATEST").status, 200);
}

TEST_F(ApiTest, AcceptsThePythonOfThisHostOnly) {
  start();
  int present = -1;
  for (int minor = 8; minor <= 15; ++minor) {
    if (std::filesystem::exists("/usr/bin/python3." + std::to_string(minor))) present = minor;
  }
  if (present < 0) GTEST_SKIP() << "no python3.8 to python3.15 in /usr/bin";
  for (int minor = 8; minor <= 15; ++minor) {
    const std::string runtime = "python3." + std::to_string(minor);
    const Reply reply = create(with(new_function("f" + std::to_string(minor)), "Runtime", json::string(runtime)));
    if (std::filesystem::exists("/usr/bin/" + runtime)) {
      EXPECT_EQ(reply.status, 201) << runtime;
    } else {
      EXPECT_TRUE(refusal(reply).find("python3." + std::to_string(present)) != std::string::npos) << reply.body;
    }
  }
}

TEST_F(ApiTest, AcceptsOtherManagedRuntimesWhereThisHostHasTheLanguage) {
  start();
  const std::pair<const char*, const char*> cases[] = {
      {"nodejs22.x", "/usr/bin/node"}, {"ruby3.3", "/usr/bin/ruby"}, {"java21", "/usr/bin/java"}};
  for (const auto& [runtime, interpreter] : cases) {
    const Reply reply = create(with(new_function(std::string(runtime, 4)), "Runtime", json::string(runtime)));
    if (!managed_interpreter(runtime).empty()) {
      EXPECT_EQ(reply.status, 201) << reply.body;
    } else {
      EXPECT_NE(refusal(reply).find(std::string("It needs ") + interpreter + "."), std::string::npos) << reply.body;
    }
  }
}

TEST_F(ApiTest, AcceptsTheNearestPythonWhenTold) {
  start({.allow_nearest_python = true});
  bool present = false;
  for (int minor = 0; minor < 40; ++minor)
    present = present || std::filesystem::exists("/usr/bin/python3." + std::to_string(minor));
  if (!present) GTEST_SKIP() << "no python3 in /usr/bin";

  EXPECT_EQ(create(with(new_function("f"), "Runtime", "python3.15")).status, 201);
}

TEST_F(ApiTest, RefusesTooLargeRequestsWithAwsWords) {
  start();
  const auto declared = [this](std::string_view method, std::string_view target, std::size_t bytes) {
    testing::Client client(port_);
    client.send(std::string(method) + " " + std::string(target) +
                " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n");
    return refusal(client.receive());
  };
  EXPECT_EQ(declared("POST", "/2015-03-31/functions", 70'167'212),
            "413 RequestEntityTooLargeException: Request must be smaller than 70167211 bytes for the CreateFunction "
            "operation");
  EXPECT_EQ(declared("POST", "/2015-03-31/functions/f/invocations", 6'291'557),
            "413 RequestTooLargeException: 6291557 byte payload is too large for the RequestResponse invocation type "
            "(limit 6291556 bytes)");
}

TEST_F(ApiTest, RefusesWebPagesAndUnknownPathsInAwsShape) {
  start();
  EXPECT_TRUE(refusal(call("GET", "/2015-03-31/functions", {}, "Origin: https://evil.example\r\n"))
                  .starts_with("403 AccessDeniedException: "));
  EXPECT_TRUE(refusal(call("GET", "/nothing")).starts_with("404 UnknownOperationException: "));
  EXPECT_TRUE(refusal(call("PATCH", "/2015-03-31/functions")).starts_with("405 UnknownOperationException: "));
}

}  // namespace
}  // namespace ogni::service
