#include "ogni/runtime.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "runtime/test_server.h"

namespace ogni::runtime {
namespace {

constexpr const char* kAccepted = "202 Accepted";

// The server's side runs beside the test until it has said all.
class CApi : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.ok());
    for (const char* name : {"AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_INITIALIZATION_TYPE"}) ::unsetenv(name);
    runtime_.reset(ogni_open(server_.address().c_str(), "test/1"));
    ASSERT_NE(runtime_, nullptr);
  }
  void TearDown() override {
    if (platform_.joinable()) platform_.join();
  }
  void platform(std::function<void(TestServer&)> script) {
    platform_ = std::thread([this, script = std::move(script)] { script(server_); });
  }
  // One invocation, whose answer goes to `answer_`.
  void platform_invokes(const std::string& event = "{}", const std::string& fields = {}) {
    platform([this, event, fields](TestServer& server) {
      server.read();
      server.send_event("id-1", event, fields);
      answer_ = server.read().value_or(TestServer::Request{});
      server.send_status(kAccepted);
    });
  }
  const TestServer::Request& answer() {
    if (platform_.joinable()) platform_.join();
    return answer_;
  }
  ogni_runtime* get() { return runtime_.get(); }

  TestServer server_;
  std::thread platform_;
  TestServer::Request answer_;
  std::unique_ptr<ogni_runtime, decltype(&ogni_close)> runtime_{nullptr, &ogni_close};
};

TEST_F(CApi, CarriesAnInvocationBothWays) {
  ::setenv("AWS_LAMBDA_FUNCTION_NAME", "greeter", 1);
  ::setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256", 1);
  platform_invokes("{\"a\":1}",
                   "Lambda-Runtime-Trace-Id:   Root=1-2  \r\nLambda-Runtime-Invoked-Function-Arn: arn:x\r\n"
                   "Lambda-Runtime-Aws-Tenant-Id: t\r\nLambda-Runtime-Invocation-Id: nonce\r\n");
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  std::size_t bytes = 0;
  EXPECT_STREQ(ogni_event(get(), &bytes), "{\"a\":1}");
  EXPECT_EQ(bytes, 7U);
  EXPECT_STREQ(ogni_request_id(get()), "id-1");
  EXPECT_STREQ(ogni_trace_id(get()), "Root=1-2");
  EXPECT_STREQ(std::getenv("_X_AMZN_TRACE_ID"), "Root=1-2");
  EXPECT_STREQ(ogni_invoked_function_arn(get()), "arn:x");
  EXPECT_STREQ(ogni_tenant_id(get()), "t");
  EXPECT_STREQ(ogni_client_context(get()), "");
  EXPECT_STREQ(ogni_cognito_identity(get()), "");
  EXPECT_STREQ(ogni_content_type(get()), "application/json");
  EXPECT_STREQ(ogni_function_name(get()), "greeter");
  EXPECT_EQ(ogni_memory_mb(get()), 256);
  EXPECT_STREQ(ogni_text(get(), OGNI_REQUEST_ID, &bytes), "id-1");
  EXPECT_EQ(bytes, 4U);
  EXPECT_STREQ(ogni_text(get(), 99, &bytes), "");
  EXPECT_EQ(bytes, 0U);
  EXPECT_GT(ogni_remaining_ms(get()), 1000);
  EXPECT_LE(ogni_remaining_ms(get()), 60'000);
  EXPECT_EQ(ogni_respond(get(), "ok", 2, nullptr), OGNI_OK);
  EXPECT_EQ(answer().body, "ok");
  EXPECT_EQ(answer().field("Content-Type"), "application/json");
  EXPECT_EQ(answer().field("Lambda-Runtime-Invocation-Id"), "nonce");
  EXPECT_EQ(answer().field("User-Agent"), "test/1");
}

TEST_F(CApi, ReportsErrorsAsJson) {
  platform_invokes();
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  EXPECT_EQ(ogni_fail(get(), "Order.Empty", "no \"items\"\xff", "f at a.c:1\ng at b.c:2"), OGNI_OK);
  EXPECT_EQ(answer().body,
            "{\"errorMessage\":\"no \\\"items\\\"\xEF\xBF\xBD\",\"errorType\":\"Order.Empty\","
            "\"stackTrace\":[\"f at a.c:1\",\"g at b.c:2\"]}");
  EXPECT_EQ(answer().field("Lambda-Runtime-Function-Error-Type"), "Function.Unhandled");
}

TEST_F(CApi, TellsXRayWhatLedToTheErrorOfATracedInvocation) {
  constexpr const char* kField = "Lambda-Runtime-Function-XRay-Error-Cause";
  const std::string expected =
      R"({"exceptions":[{"message":"no items","type":"Order.Empty","stack":[{"label":"f"},{"label":"g"}]}],)";
  for (const bool streams : {false, true}) {
    platform_invokes("{}", "Lambda-Runtime-Trace-Id: Root=1-2;Sampled=1\r\n");
    ASSERT_EQ(ogni_next(get()), OGNI_OK);
    if (streams) {
      ASSERT_EQ(ogni_stream_begin(get(), nullptr), OGNI_OK);
    }
    EXPECT_EQ((streams ? ogni_stream_fail : ogni_fail)(get(), "Order.Empty", "no items", "f\ng"), OGNI_OK);
    EXPECT_EQ(answer().field(kField).substr(0, expected.size()), expected);
  }
  platform_invokes("{}", "Lambda-Runtime-Trace-Id: Root=1-2;Sampled=0\r\n");
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  EXPECT_EQ(ogni_fail(get(), "Order.Empty", "no items", nullptr), OGNI_OK);
  EXPECT_EQ(answer().field(kField), "");
}

TEST_F(CApi, RefusesWhatIsCalledAtTheWrongTimeOrWrong) {
  EXPECT_EQ(ogni_respond(get(), "x", 1, nullptr), OGNI_BAD_ARGUMENT) << "no invocation yet";
  EXPECT_EQ(ogni_stream_write(get(), "x", 1), OGNI_BAD_ARGUMENT);
  platform_invokes();
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  EXPECT_EQ(ogni_respond(get(), nullptr, 1, nullptr), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_fail(get(), nullptr, "x", nullptr), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_fail_json(get(), "T", nullptr, 0), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_stream_begin_http(get(), 20, nullptr, nullptr), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_stream_begin_http(get(), 200, "no colon", nullptr), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_stream_begin_prelude(get(), "", 0), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_init_error(get(), "T", "m", nullptr), OGNI_BAD_ARGUMENT) << "an invocation is under way";
  EXPECT_EQ(ogni_init_error_json(get(), "T", "{}", 2), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_restore_error(get(), "T", "m", nullptr), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_respond(get(), nullptr, 0, ""), OGNI_OK) << "an empty answer is one";
  EXPECT_EQ(ogni_respond(get(), "x", 1, nullptr), OGNI_BAD_ARGUMENT) << "a second answer";
  EXPECT_EQ(ogni_fail(get(), "T", "x", nullptr), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_next(nullptr), OGNI_BAD_ARGUMENT);
  EXPECT_STREQ(ogni_event(nullptr, nullptr), "");
  EXPECT_STREQ(ogni_request_id(nullptr), "");
  EXPECT_EQ(ogni_remaining_ms(nullptr), 0);
  ogni_close(nullptr);
  ogni_interrupt(nullptr);
  EXPECT_EQ(ogni_open("example.org:80", nullptr), nullptr);
}

// 413 to the head, and the body is never read: the connection stays open and full.
TEST_F(CApi, HearsARefusalWhileItSends) {
  platform([this](TestServer& server) {
    server.read();
    server.send_event("id-1", "{}");
    server.wait_for("\r\n\r\n");
    server.send_status("413 Too Large", "{}");
    TestServer twin(TestServer::Twin::kOf, server);
    answer_ = twin.read().value_or(TestServer::Request{});
    twin.send_status(kAccepted);
  });
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  const std::string body(32 << 20, 'x');
  EXPECT_EQ(ogni_respond(get(), body.data(), body.size(), nullptr), OGNI_REFUSED);
  EXPECT_EQ(answer().line(), "POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1");
}

TEST_F(CApi, StreamsInChunks) {
  platform_invokes();
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  ASSERT_EQ(ogni_stream_begin(get(), nullptr), OGNI_OK);
  EXPECT_EQ(ogni_respond(get(), "x", 1, nullptr), OGNI_BAD_ARGUMENT) << "it is being streamed";
  EXPECT_EQ(ogni_next(get()), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_init_error(get(), "T", "m", nullptr), OGNI_BAD_ARGUMENT);
  EXPECT_EQ(ogni_stream_write(get(), "one ", 4), OGNI_OK);
  EXPECT_EQ(ogni_stream_write(get(), nullptr, 0), OGNI_OK);
  EXPECT_EQ(ogni_stream_write(get(), "two", 3), OGNI_OK);
  EXPECT_EQ(ogni_stream_end(get()), OGNI_OK);
  EXPECT_EQ(answer().body, "one two");
  EXPECT_EQ(answer().field("Content-Type"), "application/octet-stream");
  EXPECT_EQ(answer().field("Lambda-Runtime-Function-Response-Mode"), "streaming");
  EXPECT_EQ(answer().trailers, "");
  EXPECT_EQ(ogni_stream_end(get()), OGNI_BAD_ARGUMENT);
}

TEST_F(CApi, BeginsAnHttpResponseWithItsPrelude) {
  platform_invokes();
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  ASSERT_EQ(ogni_stream_begin_http(get(), 404, "X-A: 1\r\nContent-Type: text/html\nx-a: 2\n", "a=b; Path=/\nc=d"),
            OGNI_OK);
  EXPECT_EQ(ogni_stream_write(get(), "<p>", 3), OGNI_OK);
  EXPECT_EQ(ogni_stream_end(get()), OGNI_OK);
  const std::string prelude =
      R"({"statusCode":404,"headers":{"X-A":"1, 2","Content-Type":"text/html"},"cookies":["a=b; Path=/","c=d"]})";
  EXPECT_EQ(answer().body, prelude + std::string(8, '\0') + "<p>");
  EXPECT_EQ(answer().field("Content-Type"), "application/vnd.awslambda.http-integration-response");
}

TEST_F(CApi, EndsAStreamWithoutBytes) {
  platform_invokes();
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  ASSERT_EQ(ogni_stream_begin_prelude(get(), "{\"statusCode\":204}", 18), OGNI_OK);
  EXPECT_EQ(ogni_stream_end(get()), OGNI_OK);
  EXPECT_EQ(answer().body, "{\"statusCode\":204}" + std::string(8, '\0'));
}

TEST_F(CApi, FailsAStreamPlainlyBeforeItsFirstByteAndInTrailersAfter) {
  platform_invokes();
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  ASSERT_EQ(ogni_stream_begin(get(), "text/plain"), OGNI_OK);
  EXPECT_EQ(ogni_stream_fail(get(), "Order.Empty", "m", nullptr), OGNI_OK);
  EXPECT_EQ(answer().line(), "POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1");
  platform_invokes();
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  ASSERT_EQ(ogni_stream_begin(get(), "text/plain"), OGNI_OK);
  EXPECT_EQ(ogni_stream_write(get(), "so far", 6), OGNI_OK);
  EXPECT_EQ(ogni_stream_fail_json(get(), "Function.Broken", "{\"errorType\":\"B\"}", 17), OGNI_OK);
  EXPECT_EQ(answer().body, "so far");
  EXPECT_EQ(answer().trailer("Lambda-Runtime-Function-Error-Type"), "Function.Broken");
  EXPECT_EQ(answer().trailer("Lambda-Runtime-Function-Error-Body"), "eyJlcnJvclR5cGUiOiJCIn0=");
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(CApi, CutsAnErrorThatIsTooLongToFollowAStream) {
  const std::string long_text(40'000, 'm');
  const std::string json = "{\"errorMessage\":\"" + long_text + "\"}";
  for (const bool as_json : {false, true}) {
    platform_invokes();
    ASSERT_EQ(ogni_next(get()), OGNI_OK);
    ASSERT_EQ(ogni_stream_begin(get(), nullptr), OGNI_OK);
    ASSERT_EQ(ogni_stream_write(get(), "so far", 6), OGNI_OK);
    const std::string type = "Function." + std::string(1000, 't');
    EXPECT_EQ(as_json ? ogni_stream_fail_json(get(), type.c_str(), json.data(), json.size())
                      : ogni_stream_fail(get(), type.c_str(), long_text.c_str(), long_text.c_str()),
              OGNI_OK);
    EXPECT_EQ(answer().trailer("Lambda-Runtime-Function-Error-Body").substr(0, 20), "eyJlcnJvck1lc3NhZ2Ui") << as_json;
    EXPECT_LT(answer().trailers.size(), 4096U);
    EXPECT_EQ(answer().trailers.size() > 3000, !as_json) << "as much of the message as there is room for";
  }
}

TEST_F(CApi, StopsWritingWhenThePlatformHasHadEnough) {
  platform([](TestServer& server) {
    server.read();
    server.send_event("id-1", "{}");
    server.wait_for("chunked");
    server.send_status("413 Too Large", "{\"errorType\":\"RequestEntityTooLarge\"}");
    server.wait_for("\r\n0\r\n");  // never: it takes no more, and the client hangs up
    server.hang_up();
    server.read();
    server.send_event("id-2", "{}");
  });
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  ASSERT_EQ(ogni_stream_begin(get(), nullptr), OGNI_OK);
  const std::string block(1 << 20, 'x');
  int status = OGNI_OK;
  for (int i = 0; i < 1000 && status == OGNI_OK; ++i) status = ogni_stream_write(get(), block.data(), block.size());
  // Whoever reads everything and answers at last is refused as well.
  EXPECT_EQ(ogni_stream_end(get()), OGNI_REFUSED);
  EXPECT_EQ(ogni_next(get()), OGNI_OK);
  EXPECT_STREQ(ogni_request_id(get()), "id-2");
}

TEST_F(CApi, GivesUpAStreamWhoseConnectionIsLostAndGoesOn) {
  platform([](TestServer& server) {
    server.read();
    server.send_event("id-1", "{}");
    server.wait_for("chunked");
    server.reset_connection();
    server.read();
    server.send_event("id-2", "{}");
  });
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  ASSERT_EQ(ogni_stream_begin(get(), nullptr), OGNI_OK);
  int status = OGNI_OK;
  const std::string block(1 << 16, 'x');
  while (status == OGNI_OK) status = ogni_stream_write(get(), block.data(), block.size());
  EXPECT_EQ(status, OGNI_REFUSED);
  EXPECT_EQ(ogni_stream_end(get()), OGNI_REFUSED);
  EXPECT_EQ(ogni_next(get()), OGNI_OK);
  EXPECT_STREQ(ogni_request_id(get()), "id-2");
}

TEST_F(CApi, StreamsOnANewConnectionWhereThePlatformHasClosedTheOldOne) {
  platform([this](TestServer& server) {
    server.read();
    server.send_event("id-1", "{}", "Connection: keep-alive\r\n");
    server.hang_up();
    answer_ = server.read().value_or(TestServer::Request{});
    server.send_status(kAccepted);
  });
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  ASSERT_EQ(ogni_stream_begin(get(), nullptr), OGNI_OK);
  // The close may not have arrived yet, which then looks like a connection lost in mid-stream.
  while (server_.connections() < 1) std::this_thread::yield();
  const int written = ogni_stream_write(get(), "whole", 5);
  const int ended = ogni_stream_end(get());
  if (written == OGNI_OK && ended == OGNI_OK) {
    EXPECT_EQ(answer().body, "whole");
  } else {
    EXPECT_EQ(ended, OGNI_REFUSED);
    runtime_.reset(ogni_open(server_.address().c_str(), nullptr));
    EXPECT_EQ(ogni_init_error(get(), "T", "so that the platform ends", nullptr), OGNI_OK);
  }
}

TEST_F(CApi, ReportsAFailedInitialisation) {
  platform([this](TestServer& server) {
    answer_ = server.read().value_or(TestServer::Request{});
    server.send_status(kAccepted);
  });
  EXPECT_EQ(ogni_init_error(get(), "Runtime.NoModel", "m", nullptr), OGNI_OK);
  EXPECT_EQ(answer().line(), "POST /2018-06-01/runtime/init/error HTTP/1.1");
  EXPECT_EQ(answer().field("Lambda-Runtime-Function-Error-Type"), "Runtime.NoModel");
}

TEST_F(CApi, WaitsForTheRestoreWhereThereIsASnapshot) {
  EXPECT_EQ(ogni_is_snapshot(), 0);
  EXPECT_EQ(ogni_restore_next(get()), OGNI_OK) << "at once";
  ::setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start", 1);
  TestServer::Request wait;
  platform([&](TestServer& server) {
    wait = server.read().value_or(TestServer::Request{});
    server.send_status("200 OK", "");
    answer_ = server.read().value_or(TestServer::Request{});
    server.send_status(kAccepted);
  });
  EXPECT_EQ(ogni_is_snapshot(), 1);
  EXPECT_EQ(ogni_restore_next(get()), OGNI_OK);
  EXPECT_EQ(ogni_restore_error(get(), "Runtime.AfterRestoreError", "m", nullptr), OGNI_OK);
  EXPECT_EQ(answer().line(), "POST /2018-06-01/runtime/restore/error HTTP/1.1");
  EXPECT_EQ(wait.line(), "GET /2018-06-01/runtime/restore/next HTTP/1.1");
  ::unsetenv("AWS_LAMBDA_INITIALIZATION_TYPE");
}

TEST_F(CApi, IsInterruptedByAnotherThreadWhileItWaits) {
  platform([this](TestServer& server) {
    server.wait_for("\r\n\r\n");
    ogni_interrupt(get());
  });
  EXPECT_EQ(ogni_next(get()), OGNI_INTERRUPTED);
  EXPECT_EQ(ogni_next(get()), OGNI_INTERRUPTED) << "for good";
}

TEST_F(CApi, DeliversNoPartOfAnEventWhenItIsInterrupted) {
  platform([this](TestServer& server) {
    server.read();
    server.send("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\nConnection: close\r\n\r\n{\"half\":");
    ogni_interrupt(get());
  });
  EXPECT_EQ(ogni_next(get()), OGNI_INTERRUPTED);
  std::size_t bytes = 7;
  ogni_event(get(), &bytes);
  EXPECT_EQ(bytes, 0U);
}

TEST_F(CApi, IsInterruptedByATerminationSignal) {
  EXPECT_EQ(ogni_catch_sigterm(get()), OGNI_OK);
  EXPECT_EQ(ogni_catch_sigterm(get()), OGNI_OK);
  ogni_runtime* other = ogni_open(server_.address().c_str(), nullptr);
  EXPECT_EQ(ogni_catch_sigterm(other), OGNI_FATAL);
  ogni_close(other);
  platform([](TestServer& server) {
    server.wait_for("\r\n\r\n");
    ::kill(::getpid(), SIGTERM);
  });
  EXPECT_EQ(ogni_next(get()), OGNI_INTERRUPTED);
  runtime_.reset();
  struct sigaction action = {};
  ::sigaction(SIGTERM, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
}

TEST_F(CApi, ServesAnInvocationThatHasArrivedBeforeItStops) {
  platform([this](TestServer& server) {
    server.read();
    server.send_event("id-1", "{}");
    answer_ = server.read().value_or(TestServer::Request{});
    server.send_status(kAccepted);
  });
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  ogni_interrupt(get());
  EXPECT_EQ(ogni_respond(get(), "late", 4, nullptr), OGNI_OK);
  EXPECT_EQ(ogni_next(get()), OGNI_INTERRUPTED);
  EXPECT_EQ(answer().body, "late");
}

TEST_F(CApi, SaysHowManyInvocationsComeAtOnceAndLeavesTheTraceVariableAloneThen) {
  EXPECT_EQ(ogni_max_concurrency(), 1);
  for (const char* odd : {"", "0", "x", "-3", "1e3", "99999999999999999999"}) {
    ::setenv("AWS_LAMBDA_MAX_CONCURRENCY", odd, 1);
    EXPECT_EQ(ogni_max_concurrency(), 1) << odd;
  }
  ::setenv("AWS_LAMBDA_MAX_CONCURRENCY", "16", 1);
  EXPECT_EQ(ogni_max_concurrency(), 16);
  runtime_.reset(ogni_open(server_.address().c_str(), nullptr));
  platform_invokes("{}", "Lambda-Runtime-Trace-Id: Root=1-9\r\n");
  ASSERT_EQ(ogni_next(get()), OGNI_OK);
  EXPECT_STREQ(ogni_trace_id(get()), "Root=1-9");
  EXPECT_EQ(std::getenv("_X_AMZN_TRACE_ID"), nullptr);
  EXPECT_EQ(ogni_respond(get(), "{}", 2, nullptr), OGNI_OK);
  ::unsetenv("AWS_LAMBDA_MAX_CONCURRENCY");
}

}  // namespace
}  // namespace ogni::runtime
