// What was written for aws-lambda-cpp, against a platform that the test plays.
#include <aws/lambda-runtime/runtime.h>
#include <aws/lambda-runtime/version.h>
#include <aws/logging/logging.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <type_traits>

#include "runtime/test_server.h"

namespace aws::lambda_runtime {
namespace {

using aws::http::response_code;
using ogni::runtime::TestServer;

static_assert(std::is_same_v<decltype(&run_handler),
                             void (*)(std::function<invocation_response(invocation_request const&)> const&)>);
static_assert(std::is_same_v<runtime::next_outcome, outcome<invocation_request, response_code>>);

class AwsLambda : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.ok()); }
  // The platform's side runs beside `act`.
  static void beside(const std::function<void()>& platform, const std::function<void()>& act) {
    std::thread other(platform);
    act();
    other.join();
  }
  TestServer server_;
};

TEST_F(AwsLambda, NextGivesTheEventWithItsContext) {
  runtime loop("http://" + server_.address());
  beside(
      [&] {
        const auto poll = server_.read();
        ASSERT_TRUE(poll);
        EXPECT_EQ(poll->line(), "GET /2018-06-01/runtime/invocation/next HTTP/1.1");
        server_.send_event("id-1", "{\"a\":\"\xC3\xA4\"}",
                           "Lambda-Runtime-Trace-Id: Root=1\r\nLambda-Runtime-Invoked-Function-Arn: arn:f:prod\r\n"
                           "Lambda-Runtime-Client-Context: {}\r\nLambda-Runtime-Cognito-Identity: {\"i\":1}\r\n"
                           "Lambda-Runtime-Aws-Tenant-Id: blue\r\n");
      },
      [&] {
        const runtime::next_outcome next = loop.get_next();
        ASSERT_TRUE(next.is_success());
        const invocation_request& request = next.get_result();
        EXPECT_EQ(request.payload, "{\"a\":\"\xC3\xA4\"}");
        EXPECT_EQ(request.request_id, "id-1");
        EXPECT_EQ(request.xray_trace_id, "Root=1");
        EXPECT_EQ(request.function_arn, "arn:f:prod");
        EXPECT_EQ(request.client_context, "{}");
        EXPECT_EQ(request.cognito_identity, "{\"i\":1}");
        EXPECT_EQ(request.tenant_id, "blue");
        EXPECT_EQ(request.content_type, "application/json");
        EXPECT_GT(request.get_time_remaining().count(), 0);
        EXPECT_LE(request.get_time_remaining().count(), 60'000);
      });
}

TEST_F(AwsLambda, PostsTellHowTheyWent) {
  runtime loop(server_.address(), "mine/1");
  const auto answer = [&](const char* status) {
    const auto poll = server_.read();
    ASSERT_TRUE(poll);
    EXPECT_EQ(poll->field("User-Agent"), "mine/1");
    server_.send_event("id-1", "{}");
    ASSERT_TRUE(server_.read());
    server_.send_status(status);
  };
  beside([&] { answer("202 Accepted"); },
         [&] {
           ASSERT_TRUE(loop.get_next().is_success());
           const invocation_response response = invocation_response::success("1", "application/json");
           const runtime::post_outcome other = loop.post_success("id-2", response);
           ASSERT_FALSE(other.is_success());
           EXPECT_EQ(other.get_failure(), response_code::BAD_REQUEST);
           EXPECT_TRUE(loop.post_success("id-1", response).is_success());
           EXPECT_EQ(loop.post_success("id-1", response).get_failure(), response_code::FORBIDDEN);
         });
  beside([&] { answer("400 Bad Request"); },
         [&] {
           ASSERT_TRUE(loop.get_next().is_success());
           const auto refused = loop.post_failure("id-1", invocation_response::failure("m", "t"));
           EXPECT_EQ(refused.get_failure(), response_code::BAD_REQUEST);
         });
  beside([&] { answer("500 Internal Server Error"); },
         [&] {
           ASSERT_TRUE(loop.get_next().is_success());
           const auto gone = loop.post_failure("id-1", invocation_response("", "", false));
           EXPECT_EQ(gone.get_failure(), response_code::REQUEST_NOT_MADE);
         });
  runtime nowhere("not an address");
  EXPECT_EQ(nowhere.get_next().get_failure(), response_code::REQUEST_NOT_MADE);
}

TEST_F(AwsLambda, ResponsesAreWhatTheySay) {
  const invocation_response good = invocation_response::success("p", "text/plain");
  EXPECT_TRUE(good.is_success());
  EXPECT_EQ(good.get_payload(), "p");
  EXPECT_EQ(good.get_content_type(), "text/plain");
  const invocation_response bad = invocation_response::failure("say \"no\"\n", "Type");
  EXPECT_FALSE(bad.is_success());
  EXPECT_EQ(bad.get_content_type(), "application/json");
  EXPECT_EQ(bad.get_payload(), R"({"errorMessage":"say \"no\"\n","errorType":"Type","stackTrace":[]})");
  EXPECT_EQ(std::string(get_version()), std::to_string(get_version_major()) + "." +
                                            std::to_string(get_version_minor()) + "." +
                                            std::to_string(get_version_patch()));
}

TEST_F(AwsLambda, OutcomesAreCopiedAndMoved) {
  using Either = outcome<std::string, int>;
  Either text(std::string(100, 'x'));
  Either copy(text);
  Either number(7);
  EXPECT_EQ(copy.get_result(), std::string(100, 'x'));
  copy = number;
  EXPECT_FALSE(copy.is_success());
  EXPECT_EQ(copy.get_failure(), 7);
  copy = std::move(text);
  const std::string taken = std::move(copy).get_result();
  EXPECT_EQ(taken.size(), 100U);
}

TEST_F(AwsLambda, AFunctionWrittenForItRunsUnchanged) {
  const auto programs = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
  const std::string program = programs / "examples/aws-lambda-cpp/bootstrap";
  const std::string endpoint = "AWS_LAMBDA_RUNTIME_API=" + server_.address();
  int log[2];
  ASSERT_EQ(::pipe(log), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char* argv[] = {const_cast<char*>(program.c_str()), nullptr};
    char* envp[] = {const_cast<char*>(endpoint.c_str()), nullptr};
    ::dup2(log[1], STDERR_FILENO);
    ::execve(program.c_str(), argv, envp);
    ::_exit(126);
  }
  ::close(log[1]);
  const auto invoke = [&](std::string_view event) {
    if (!server_.read()) return std::string("no poll");
    server_.send_event("id-1", event, "Lambda-Runtime-Invoked-Function-Arn: arn:f\r\n");
    const auto answer = server_.read();
    server_.send_status("202 Accepted");
    return answer ? answer->line().substr(answer->line().rfind('/', answer->line().rfind(' '))) + "\n" + answer->body
                  : std::string("no answer");
  };
  EXPECT_EQ(invoke("{\"a\":\"\xC3\xA4\"}"), "/response HTTP/1.1\n{\"a\":\"\xC3\xA4\"}");
  EXPECT_EQ(invoke("\"context\""), "/response HTTP/1.1\n{\"id\":\"id-1\",\"arn\":\"arn:f\",\"inTime\":true}");
  EXPECT_EQ(invoke("\"custom\""),
            "/error HTTP/1.1\n{\"errorMessage\":\"mine\",\"errorType\":\"Mine\",\"stackTrace\":[\"a\"]}");
  EXPECT_EQ(invoke("\"throw\""),
            "/error HTTP/1.1\n{\"errorMessage\":\"thrown\",\"errorType\":\"std::runtime_error\",\"stackTrace\":[]}");
  EXPECT_EQ(
      invoke(std::string(4096 * 1024 + 1, ' ')),
      "/error HTTP/1.1\n{\"errorMessage\":\"error message here\",\"errorType\":\"error type here\",\"stackTrace\":[]}");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(log[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  ::close(log[0]);
  EXPECT_NE(text.find(std::string("echo 10 bytes, version ") + get_version()), std::string::npos) << text;
}

}  // namespace
}  // namespace aws::lambda_runtime
