// `ogni invoke` as a process, against a scripted service.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "base/digest.h"
#include "cli/program_run.h"
#include "cli/scripted_server.h"
#include "package/temporary_folder.h"

namespace ogni::cli {
namespace {

namespace json = boost::json;

ScriptedReply answer(std::string payload, std::vector<std::pair<std::string, std::string>> headers = {}) {
  headers.emplace_back("X-Amz-Executed-Version", "$LATEST");
  headers.emplace_back("x-amzn-RequestId", "request-1");
  return {.body = std::move(payload), .headers = std::move(headers)};
}

ProgramRun invoke(const ScriptedServer& server, std::vector<std::string> arguments, const std::string& input = {}) {
  arguments.insert(arguments.begin(), "invoke");
  return run_ogni(arguments, {{"OGNI_ENDPOINT", server.url()}}, input);
}

TEST(Invoke, PrintsThePayloadAloneToStdout) {
  ScriptedServer server([](const SeenRequest&) { return answer("{\"ok\":true}"); });
  const ProgramRun run = invoke(server, {"hello", "--payload", "{\"n\":1}"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "{\"ok\":true}");
  EXPECT_EQ(run.err, "");
  ASSERT_EQ(server.lines(), (std::vector<std::string>{"POST /2015-03-31/functions/hello/invocations"}));
  EXPECT_EQ(server.seen()[0].body, "{\"n\":1}");
  EXPECT_EQ(server.seen()[0].header("X-Amz-Invocation-Type"), "RequestResponse");
  EXPECT_EQ(server.seen()[0].header("X-Amz-Log-Type"), "");
}

TEST(Invoke, TakesThePayloadFromAFileOrStandardInput) {
  ScriptedServer server([](const SeenRequest& r) { return answer(r.body); });
  const package::TemporaryFolder folder;
  const std::string large = "\"" + std::string(2 << 20, 'x') + "\"";
  folder.write("event.json", large);
  EXPECT_EQ(invoke(server, {"f", "-p", "@" + folder.string() + "/event.json"}).out, large);
  EXPECT_EQ(invoke(server, {"f", "-p", "-"}, "[1,2]").out, "[1,2]");
  const ProgramRun missing = invoke(server, {"f", "-p", "@" + folder.string() + "/none"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_NE(missing.err.find("none"), std::string::npos);
  EXPECT_EQ(invoke(server, {"f", "-p", "-"}, std::string(7 << 20, 'x')).exit_code, 2);
}

TEST(Invoke, EncodesNamesSoThatTheyStayOneSegment) {
  ScriptedServer server([](const SeenRequest&) { return answer("1"); });
  EXPECT_EQ(invoke(server, {"../x y?z", "--qualifier", "a&b=c"}).exit_code, 0);
  EXPECT_EQ(invoke(server, {"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"}).exit_code, 0);
  EXPECT_EQ(server.lines(),
            (std::vector<std::string>{
                "POST /2015-03-31/functions/..%2Fx%20y%3Fz/invocations?Qualifier=a%26b%3Dc",
                "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af%3A%24LATEST/"
                "invocations"}));
}

TEST(Invoke, FunctionErrorIsExitCodeOneWithThePayloadOnStdout) {
  const std::string payload = "{\"errorMessage\":\"it \\u001b[31mbroke\",\"errorType\":\"Oops\"}";
  ScriptedServer server([&](const SeenRequest&) { return answer(payload, {{"X-Amz-Function-Error", "Unhandled"}}); });
  const ProgramRun run = invoke(server, {"hello"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, payload);
  EXPECT_EQ(run.err, "ogni: function error: Oops: it \\x1b[31mbroke\n");
}

TEST(Invoke, LogGoesToStderr) {
  ScriptedServer server([](const SeenRequest& r) {
    EXPECT_EQ(r.header("X-Amz-Log-Type"), "Tail");
    return answer("1", {{"X-Amz-Log-Result", to_base64("START\nhi\nEND")}});
  });
  for (const char* flag : {"--log", "--tail", "-l"}) {
    const ProgramRun run = invoke(server, {"hello", flag});
    EXPECT_EQ(run.out, "1");
    EXPECT_EQ(run.err, "START\nhi\nEND\n");
  }
}

TEST(Invoke, JsonOutputHoldsEverything) {
  ScriptedServer server([](const SeenRequest&) {
    return answer("{\"a\":[1]}", {{"X-Amz-Log-Result", to_base64("log")}, {"X-Amz-Function-Error", "Unhandled"}});
  });
  const ProgramRun run = invoke(server, {"hello", "--log", "--output", "json"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(json::parse(run.out),
            json::parse(R"({"StatusCode":200,"FunctionError":"Unhandled","ExecutedVersion":"$LATEST",
                            "RequestId":"request-1","Log":"log","Payload":{"a":[1]}})"));
}

TEST(Invoke, JsonOutputStaysJsonWhateverTheFunctionAnswers) {
  ScriptedServer server([](const SeenRequest& r) { return answer(r.body == "1" ? "not json" : "\xff\xfe"); });
  EXPECT_EQ(json::parse(invoke(server, {"f", "-p", "1", "--output", "json"}).out).at("Payload"), "not json");
  EXPECT_EQ(json::parse(invoke(server, {"f", "-p", "2", "--output", "json"}).out).at("Payload"), "//4=");
}

TEST(Invoke, DryRunSaysSo) {
  ScriptedServer server([](const SeenRequest& r) {
    EXPECT_EQ(r.header("X-Amz-Invocation-Type"), "DryRun");
    return ScriptedReply{.status = 204};
  });
  EXPECT_EQ(invoke(server, {"hello", "--dry-run"}).exit_code, 0);
}

TEST(Invoke, RefusalIsExitCodeFourWithTheServicesWords) {
  ScriptedServer server([](const SeenRequest&) {
    return ScriptedReply{.status = 404,
                         .body = "{\"Type\":\"User\",\"Message\":\"Function not found: x\"}",
                         .headers = {{"x-amzn-ErrorType", "ResourceNotFoundException:http://x/"}}};
  });
  const ProgramRun run = invoke(server, {"hello"});
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, "ogni: ResourceNotFoundException: Function not found: x\n");
}

TEST(Invoke, AbsentServiceIsExitCodeThreeWithTheRemedy) {
  std::string url;
  {
    const ScriptedServer server([](const SeenRequest&) { return ScriptedReply{}; });
    url = server.url();
  }
  const ProgramRun run = run_ogni({"invoke", "hello", "--endpoint-url", url});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_EQ(run.err, "ogni: no Ogni at " + url + ": connection refused. Start it with: ogni serve\n");
}

TEST(Invoke, EndpointComesFromTheFlagThenFromTheVariablesInOrder) {
  ScriptedServer server([](const SeenRequest&) { return answer("1"); });
  const std::string nowhere = "http://127.0.0.1:1";
  const std::vector<std::map<std::string, std::string>> ways{
      {{"OGNI_ENDPOINT", server.url()}, {"AWS_ENDPOINT_URL_LAMBDA", nowhere}, {"AWS_ENDPOINT_URL", nowhere}},
      {{"AWS_ENDPOINT_URL_LAMBDA", server.url()}, {"AWS_ENDPOINT_URL", nowhere}},
      {{"OGNI_ENDPOINT", ""}, {"AWS_ENDPOINT_URL", server.url()}}};
  for (const auto& environment : ways) EXPECT_EQ(run_ogni({"invoke", "f"}, environment).exit_code, 0);
  EXPECT_EQ(run_ogni({"invoke", "f", "--endpoint-url", server.url()}, {{"OGNI_ENDPOINT", nowhere}}).exit_code, 0);

  const ProgramRun https = run_ogni({"invoke", "f"}, {{"AWS_ENDPOINT_URL", "https://example.org"}});
  EXPECT_EQ(https.exit_code, 2);
  EXPECT_NE(https.err.find("AWS_ENDPOINT_URL: "), std::string::npos) << https.err;
}

}  // namespace
}  // namespace ogni::cli
