// The exec way: the real bootstrap, real programs, a platform that the test plays.
#include "bootstrap/exec_way.h"
#include "bootstrap/bootstrap_fixture.h"
#include "bootstrap/settings.h"

#include <chrono>

namespace ogni::bootstrap {
namespace {

using Request = runtime::TestServer::Request;

bool is_running(pid_t process) {
  std::ifstream stream("/proc/" + std::to_string(process) + "/stat");
  std::string id, name, state;
  return stream >> id >> name >> state && state != "Z";
}

class ExecTest : public BootstrapFixture {
 protected:
  void start_script(const std::string& text) {
    write_program("hello", "#!/bin/bash\n" + text);
    start("hello");
  }
};

TEST_F(ExecTest, RunsTheHandlerForEachEvent) {
  start_script("n=$((n + 1)); export n; printf 'got %s, call %s' \"$(cat)\" $n\n");
  const Request first = invoke("{\"a\": 1}");
  EXPECT_EQ(first.line(), "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1");
  EXPECT_EQ(first.body, "got {\"a\": 1}, call 1");
  EXPECT_EQ(first.field("Content-Type"), "application/json");
  EXPECT_EQ(invoke("").body, "got , call 1") << "nothing is kept";
}

TEST_F(ExecTest, CarriesLargeAndStrangePayloads) {
  variables_["OGNI_EXEC_COMMAND"] = "cat";
  start("");
  std::string bytes(6 * 1024 * 1024, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  const Request echo = invoke(bytes);
  EXPECT_TRUE(echo.body == bytes) << echo.line() << echo.body.substr(0, 200) << log();
  EXPECT_EQ(invoke("").body, "");
  EXPECT_EQ(invoke("result 0 2\n{}").body, "result 0 2\n{}");
  EXPECT_EQ(invoke("Zürich ☃ without newline").body, "Zürich ☃ without newline");
}

TEST_F(ExecTest, GivesTheContextInTheEnvironment) {
  variables_["OGNI_ANYTHING"] = "hidden";
  start_script(
      "echo $LAMBDA_RUNTIME_AWS_REQUEST_ID,$LAMBDA_RUNTIME_INVOKED_FUNCTION_ARN,$LAMBDA_RUNTIME_CLIENT_CONTEXT,"
      "$LAMBDA_RUNTIME_COGNITO_IDENTITY,$LAMBDA_RUNTIME_AWS_TENANT_ID,${_X_AMZN_TRACE_ID-none},"
      "$AWS_LAMBDA_FUNCTION_MEMORY_SIZE,$AWS_LAMBDA_LOG_GROUP_NAME,${OGNI_ANYTHING-none}\n"
      "((LAMBDA_RUNTIME_DEADLINE_MS > 1600000000000 && LAMBDA_RUNTIME_REMAINING_MS > 0 && "
      "LAMBDA_RUNTIME_REMAINING_MS <= 60000)) && echo in time\n");
  EXPECT_EQ(invoke("{}",
                   "Lambda-Runtime-Invoked-Function-Arn: arn:f\r\nLambda-Runtime-Aws-Tenant-Id: t\r\n"
                   "Lambda-Runtime-Trace-Id: Root=1\r\nLambda-Runtime-Client-Context: {\"c\":1}\r\n"
                   "Lambda-Runtime-Cognito-Identity: {\"i\":2}\r\n")
                .body,
            "id-1,arn:f,{\"c\":1},{\"i\":2},t,Root=1,128,/aws/lambda/greeter,none\nin time\n");
  EXPECT_EQ(invoke("{}").body, "id-2,,,,,none,128,/aws/lambda/greeter,none\nin time\n");
}

TEST_F(ExecTest, ReportsFailuresWithStatusAndStderr) {
  start_script(R"(event=$(cat)
case $event in
  status) exit 3;;
  line) echo "working" >&2; echo "it is broken" >&2; exit 1;;
  typed) printf 'first\n  second\nValueError: bad "x"\n\n' >&2; exit 1;;
  signal) echo "last words" >&2; kill -SEGV $$;;
  long) for i in {1..2000}; do echo "line $i of many"; done >&2; exit 9;;
  *) echo "partial"; echo fine;;
esac
)");
  EXPECT_EQ(invoke("status").body,
            R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: id-1 Error: Runtime exited with error: )"
            R"(exit status 3"})");
  const Request line = invoke("line");
  EXPECT_TRUE(is_error(line));
  EXPECT_EQ(line.body, R"({"errorMessage":"it is broken","errorType":"Runtime.ExitError","stackTrace":["working"]})");
  const Request typed = invoke("typed");
  EXPECT_EQ(typed.body, R"({"errorMessage":"bad \"x\"","errorType":"ValueError","stackTrace":["first","  second"]})");
  EXPECT_EQ(typed.field("Lambda-Runtime-Function-Error-Type"), "ValueError");
  EXPECT_NE(invoke("signal").body.find("signal: segmentation fault"), std::string::npos);
  const Request many = invoke("long");
  EXPECT_NE(many.body.find(R"("errorMessage":"line 2000 of many")"), std::string::npos);
  EXPECT_LT(many.body.size(), 32u * 1024);
  EXPECT_EQ(invoke("fine").body, "partial\nfine\n");
  EXPECT_NE(log().find("working\nit is broken\n"), std::string::npos) << log();
  EXPECT_NE(log().find("last words\n"), std::string::npos);
  EXPECT_NE(log().find("line 1 of many\n"), std::string::npos);
}

TEST_F(ExecTest, DoesNotWaitForChildrenThatHoldTheOutput) {
  start_script("sleep 1000 & echo $!; echo err >&2\n");
  const std::string child = invoke("{}").body;
  EXPECT_EQ(child.substr(0, child.size() - 1).find_first_not_of("0123456789"), std::string::npos) << child;
  EXPECT_NE(invoke("{}").body, child);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (is_running(std::stoi(child)) && std::chrono::steady_clock::now() < deadline) invoke("{}");
  EXPECT_FALSE(is_running(std::stoi(child)));
}

TEST_F(ExecTest, EndsAProgramThatFloodsItsOutput) {
  variables_["OGNI_EXEC_COMMAND"] = "bash -c 'read e; if [[ $e == flood ]]; then exec yes; fi; echo $e'";
  start("");
  EXPECT_NE(invoke("flood\n").body.find("Function.ResponseSizeTooLarge"), std::string::npos);
  EXPECT_EQ(invoke("fine\n").body, "fine\n");
}

TEST_F(ExecTest, SaysWhyAProgramCannotBeExecuted) {
  write_program("hello", "not a program");
  start("hello");
  const Request error = invoke("{}");
  EXPECT_TRUE(is_error(error));
  EXPECT_NE(error.body.find("hello: Exec format error"), std::string::npos) << error.body;
}

TEST_F(ExecTest, RefusesAWrongChoiceAtInit) {
  struct Case {
    const char* variable;
    const char* value;
    const char* handler;
    const char* expected;
  };
  write("plain", "echo");
  const Case cases[] = {
      {"OGNI_EXEC_COMMAND", "no-such-program -x", "", "there is no executable file no-such-program in "},
      {"OGNI_EXEC_COMMAND", "cat 'open", "", "is left open in cat 'open"},
      {"OGNI_WAY", "exec", "absent", "there is no executable file absent"},
      {"OGNI_WAY", "dance", "absent", "OGNI_WAY is dance; it can be worker, exec, http or fastcgi"},
      {"OGNI_LANGUAGE", "klingon", "x.y", "OGNI_LANGUAGE is klingon, for which there is no worker; there are: "},
      {"OGNI_X", "", "plain", "plain is there and is not an executable file (chmod 755)"},
  };
  for (const Case& wrong : cases) {
    const auto before = variables_;
    variables_[wrong.variable] = wrong.value;
    start(wrong.handler);
    int status = 0;
    const Request report = init_error(status);
    EXPECT_EQ(report.line(), "POST /2018-06-01/runtime/init/error HTTP/1.1");
    EXPECT_NE(report.body.find(wrong.expected), std::string::npos) << report.body;
    EXPECT_EQ(WEXITSTATUS(status), 1);
    server_.hang_up();
    variables_ = before;
  }
}

TEST_F(ExecTest, ExplainsItsChoice) {
  variables_["OGNI_DEBUG"] = "1";
  start_script("cat\n");
  EXPECT_EQ(invoke("1").body, "1");
  EXPECT_NE(log().find("ogni: the handler is an executable file: " + (directory_ / "./hello").string()),
            std::string::npos)
      << log();
}

TEST(Commands, AreSplitWithoutAShell) {
  const auto split = [](std::string_view line) {
    std::vector<std::string> words;
    return split_command(line, words) ? words : std::vector<std::string>{"(open)"};
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(split(""), Words{});
  EXPECT_EQ(split("  a\tb\n"), (Words{"a", "b"}));
  EXPECT_EQ(split("jq -c '{a: .b, \"c\": $x}'"), (Words{"jq", "-c", "{a: .b, \"c\": $x}"}));
  EXPECT_EQ(split(R"(a "b \"c\" \d" e\ f)"), (Words{"a", "b \"c\" \\d", "e f"}));
  EXPECT_EQ(split("'' x''y"), (Words{"", "xy"}));
  for (const char* open : {"'", "a\"b", "a\\", "\"\\\""}) EXPECT_EQ(split(open), Words{"(open)"}) << open;
}

}  // namespace
}  // namespace ogni::bootstrap
