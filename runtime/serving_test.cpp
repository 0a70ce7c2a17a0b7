// What run() does beyond calling a handler: streams, several invocations at once, signals, snapshots, stacks, nested errors.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "ogni/log.hpp"
#include "ogni/runtime.hpp"
#include "runtime/report.h"
#include "runtime/test_fixtures.h"
#include "runtime/trace_variable.h"

namespace ogni {
namespace {

using runtime::TestServer;
using namespace std::chrono_literals;

constexpr auto kDeadline = 10s;

class Serving : public runtime::FunctionTest {
 protected:
  void TearDown() override {
    FunctionTest::TearDown();
    for (const char* name : {"AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_INITIALIZATION_TYPE"}) ::unsetenv(name);
  }
  void start(StreamHandler handler, Options options = {}) {
    start_program(
        [handler = std::move(handler), options = std::move(options)] { return run_streaming(handler, options); });
  }
  void start_plain(Handler handler, Options options = {}) {
    start_program([handler = std::move(handler), options = std::move(options)] { return run(handler, options); });
  }
};

TEST(EventTest, KnowsJsonByItsContentType) {
  for (const char* json : {"application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"}) {
    EXPECT_TRUE((Event{"{}", json}.is_json())) << json;
  }
  for (const char* other : {"", "text/json", "application/jsonp", "+json", "application/octet-stream"}) {
    EXPECT_FALSE((Event{"{}", other}.is_json())) << other;
  }
  EXPECT_EQ((Event{"ab", ""}.bytes().size()), 2U);
}

TEST_F(Serving, StreamsWhatTheHandlerWrites) {
  start([](const Event& event, const Context& context, ResponseStream& stream) {
    stream.content_type("text/plain");
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(stream.write(event.body));
    stream.write(context.request_id);
    EXPECT_THROW(stream.content_type("text/html"), std::logic_error);
  });
  const auto answer = invoke("[1]");
  EXPECT_EQ(answer.body, "[1][1][1]id-1");
  EXPECT_EQ(answer.field("Content-Type"), "text/plain");
  EXPECT_EQ(answer.field("Lambda-Runtime-Function-Response-Mode"), "streaming");
  EXPECT_EQ(finish(), 1);
}

TEST_F(Serving, StreamsAnHttpResponse) {
  start([](const Event& event, const Context&, ResponseStream& stream) {
    EXPECT_THROW(stream.http({.status = 7}), std::invalid_argument);
    EXPECT_THROW(stream.http({.headers = {{"X", "a\nSet-Cookie: b"}}}), std::invalid_argument);
    EXPECT_THROW(stream.http({.headers = {{"X Y", "a"}}}), std::invalid_argument);
    EXPECT_THROW(stream.http({.headers = {{"location: x", "a"}}}), std::invalid_argument);
    if (event.body == "0") {
      stream.write("plain");
      return;
    }
    stream.http(
        {.status = 201, .headers = {{"X-A", "ä"}, {"set-cookie", "c=1"}, {"Set-Cookie", "d=2"}}, .cookies = {"a=b"}});
    if (event.body != "[]") stream.write("body");
  });
  const std::string head =
      R"({"statusCode":201,"headers":{"X-A":"ä"},"cookies":["c=1","d=2","a=b"]})" + std::string(8, '\0');
  EXPECT_EQ(invoke().body, head + "body");
  EXPECT_EQ(invoke("[]").body, head);
  const auto plain = invoke("0");
  EXPECT_EQ(plain.body, "plain") << "nothing of a head that was refused";
  EXPECT_EQ(plain.field("Content-Type"), "application/octet-stream");
  EXPECT_EQ(finish(), 1);
}

TEST_F(Serving, ReportsAnExceptionInAStreamPlainlyOrInTrailers) {
  start([](const Event& event, const Context&, ResponseStream& stream) {
    if (event.body == "[]") stream.write("so far");
    throw std::runtime_error("broken");
  });
  const auto plain = invoke();
  EXPECT_EQ(plain.line(), "POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1");
  EXPECT_EQ(plain.body, R"({"errorMessage":"broken","errorType":"std::runtime_error","stackTrace":[]})");
  const auto late = invoke("[]");
  EXPECT_EQ(late.line(), "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1");
  EXPECT_EQ(late.body, "so far");
  EXPECT_EQ(late.trailer("Lambda-Runtime-Function-Error-Type"), "Function.Unhandled");
  EXPECT_NE(late.trailer("Lambda-Runtime-Function-Error-Body"), "");
  EXPECT_EQ(finish(), 1);
}

TEST_F(Serving, CutsAnErrorThatIsTooLongToFollowAStream) {
  start([](const Event&, const Context&, ResponseStream& stream) {
    stream.write("so far");
    throw std::runtime_error(std::string(40'000, 'm'));
  });
  const auto late = invoke();
  EXPECT_EQ(late.trailer("Lambda-Runtime-Function-Error-Body").substr(0, 20), "eyJlcnJvck1lc3NhZ2Ui");
  EXPECT_GT(late.trailers.size(), 3000U);
  EXPECT_LT(late.trailers.size(), 4096U) << "servers take no more";
  EXPECT_EQ(finish(), 1);
}

TEST(ShortError, KeepsWholeCharactersAndItsLimit) {
  for (const std::string& unit :
       {std::string("m"), std::string("\xF0\x9F\x98\x80"), std::string("\x01"), std::string("\xFF")}) {
    std::string message;
    while (message.size() < 10'000) message += unit;
    for (std::size_t limit = 2000; limit < 2010; ++limit) {
      runtime::Buffer out;
      runtime::append_short_error_json(out, "T", message, limit);
      EXPECT_LE(out.size(), limit);
      EXPECT_GT(out.size(), limit - 20);
      EXPECT_EQ(out.view().find("\xEF\xBF\xBD") != std::string_view::npos, unit == "\xFF");
    }
  }
}

TEST_F(Serving, ReportsNestedExceptionsAsCauses) {
  start_plain([](const Event&, const Context&) -> Response {
    try {
      try {
        throw std::out_of_range("inner");
      } catch (...) {
        std::throw_with_nested(std::runtime_error("middle"));
      }
    } catch (...) {
      std::throw_with_nested(std::logic_error("outer"));
    }
    return Response::success("{}");
  });
  const std::string body = invoke().body;
  EXPECT_NE(body.find(R"({"errorMessage":"outer","errorType":"std::logic_error")"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("stackTrace":[],"cause":{"errorMessage":"middle","errorType":"std::runtime_error")"),
            std::string::npos)
      << body;
  EXPECT_NE(body.find(R"("cause":{"errorMessage":"inner","errorType":"std::out_of_range","stackTrace":[]}}})"),
            std::string::npos)
      << body;
  EXPECT_EQ(finish(), 1);
}

// So many handlers at once, or a failure after the deadline.
class Meeting {
 public:
  explicit Meeting(int expected) : expected_(expected) {}
  bool meet() {
    std::unique_lock lock(mutex_);
    ++present_;
    arrival_.notify_all();
    return arrival_.wait_for(lock, kDeadline, [&] { return present_ >= expected_; });
  }

 private:
  int expected_;
  int present_ = 0;
  std::mutex mutex_;
  std::condition_variable arrival_;
};

TEST_F(Serving, CallsAConcurrentHandlerForSeveralInvocationsAtOnce) {
  constexpr int kPollers = 4;
  constexpr int kRounds = 50;
  ::setenv("AWS_LAMBDA_MAX_CONCURRENCY", "4", 1);
  Meeting meeting(kPollers);
  Meeting done(kPollers);  // the first failure ends every poller
  std::atomic<int> wrong = 0;
  start_plain(
      [&](const Event& event, const Context& context) {
        if (!meeting.meet()) ++wrong;
        if (current_trace_id() != "Root=" + std::string(event.body)) ++wrong;
        if (current_request_id() != context.request_id) ++wrong;
        if (std::getenv("_X_AMZN_TRACE_ID") != nullptr) ++wrong;
        return Response::borrowed(event.body);
      },
      {.concurrent = true});
  std::vector<std::thread> connections;
  for (int i = 0; i < kPollers; ++i) {
    connections.emplace_back([&, i] {
      TestServer twin(TestServer::Twin::kOf, server_);
      for (int round = 0; round < kRounds; ++round) {
        const std::string event = std::to_string(i * kRounds + round);
        if (!twin.read()) ++wrong;
        twin.send_event("id-" + event, event, "Lambda-Runtime-Trace-Id: Root=" + event + "\r\n");
        const auto answer = twin.read();
        if (!answer || answer->body != event ||
            answer->line().find("/id-" + event + "/response") == std::string::npos) {
          ++wrong;
        }
        twin.send_status("202 Accepted");
      }
      twin.read();
      if (!done.meet()) ++wrong;
      twin.send_status("500 Internal Server Error");
    });
  }
  for (std::thread& connection : connections) connection.join();
  runtime_.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(status_, 1);
}

TEST_F(Serving, CallsAPlainHandlerForOneInvocationAfterTheOtherWhateverThePlatformAsksFor) {
  ::setenv("AWS_LAMBDA_MAX_CONCURRENCY", "4", 1);
  start_plain([](const Event& event, const Context&) { return Response::borrowed(event.body); });
  EXPECT_EQ(invoke("[1]").body, "[1]");
  EXPECT_EQ(finish(), 1);
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(Serving, EndsEveryPollerWhenThePlatformFailsOne) {
  ::setenv("AWS_LAMBDA_MAX_CONCURRENCY", "3", 1);
  start_plain([](const Event&, const Context&) { return Response::success("{}"); }, {.concurrent = true});
  TestServer second(TestServer::Twin::kOf, server_);
  TestServer third(TestServer::Twin::kOf, server_);
  ASSERT_TRUE(server_.read() && second.read() && third.read());
  second.send_status("500 Internal Server Error");
  runtime_.join();
  EXPECT_EQ(status_, 1);
}

TEST_F(Serving, RunsTheShutdownHookOnATerminationSignalWhilePolling) {
  for (const char* concurrency : {"1", "3"}) {
    ::setenv("AWS_LAMBDA_MAX_CONCURRENCY", concurrency, 1);
    TestServer server;
    ::setenv("AWS_LAMBDA_RUNTIME_API", server.address().c_str(), 1);
    std::chrono::milliseconds budget{0};
    start_plain([](const Event&, const Context&) { return Response::success("{}"); },
                {.concurrent = true, .on_shutdown = [&](std::chrono::milliseconds given) { budget = given; }});
    std::vector<std::unique_ptr<TestServer>> twins;
    ASSERT_TRUE(server.wait_for("\r\n\r\n"));
    for (int i = 1; i < std::atoi(concurrency); ++i) {
      twins.push_back(std::make_unique<TestServer>(TestServer::Twin::kOf, server));
      ASSERT_TRUE(twins.back()->wait_for("\r\n\r\n"));
    }
    ::kill(::getpid(), SIGTERM);
    runtime_.join();
    EXPECT_EQ(status_, 0) << concurrency;
    EXPECT_EQ(budget, 500ms) << concurrency;
    struct sigaction action = {};
    ::sigaction(SIGTERM, nullptr, &action);
    EXPECT_EQ(action.sa_handler, SIG_DFL) << "as before";
  }
}

TEST_F(Serving, AnswersARunningInvocationBeforeItShutsDown) {
  std::string order;
  start_plain(
      [&](const Event& event, const Context&) {
        ::kill(::getpid(), SIGTERM);
        order += "handler ";
        return Response::borrowed(event.body);
      },
      {.on_shutdown = [&](std::chrono::milliseconds) { order += "hook"; }});
  EXPECT_EQ(invoke("[1]").body, "[1]");
  runtime_.join();
  EXPECT_EQ(status_, 0);
  EXPECT_EQ(order, "handler hook");
}

// It has the library's handler of the signal, and nobody who would act on it.
TEST_F(Serving, AForkOfTheHandlerEndsOnATerminationSignalAsEver) {
  bool shut_down = false;
  start_plain(
      [&](const Event&, const Context&) {
        const pid_t child = ::fork();
        if (child == 0) {
          ::alarm(10);
          while (true) ::pause();
        }
        int status = 0;
        ::kill(child, SIGTERM);
        ::waitpid(child, &status, 0);
        return Response::success(std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0));
      },
      {.on_shutdown = [&](std::chrono::milliseconds) { shut_down = true; }});
  EXPECT_EQ(invoke().body, std::to_string(SIGTERM));
  EXPECT_EQ(invoke().body, std::to_string(SIGTERM));
  EXPECT_EQ(finish(), 1);
  EXPECT_FALSE(shut_down);
  EXPECT_EQ(server_.connections(), 1);
}

// Whatever is thrown, by what() too.
struct Speechless : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

TEST_F(Serving, ReportsAnExceptionThatSaysNothing) {
  start_plain([](const Event& event, const Context&) -> Response {
    if (event.body == "[]") throw static_cast<const char*>(nullptr);
    throw Speechless();
  });
  EXPECT_EQ(invoke().body,
            R"({"errorMessage":"","errorType":"ogni::(anonymous namespace)::Speechless","stackTrace":[]})");
  EXPECT_EQ(invoke("[]").body, R"({"errorMessage":"","errorType":"char const*","stackTrace":[]})");
  EXPECT_EQ(finish(), 1);
}

class XrayCauses : public Serving {
 protected:
  std::string cause(std::string_view trace, std::string_view event = "{}") {
    const auto answer = invoke(event, "Lambda-Runtime-Trace-Id: " + std::string(trace) + "\r\n");
    EXPECT_EQ(answer.line(), "POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1");
    return answer.field("Lambda-Runtime-Function-XRay-Error-Cause");
  }
};

TEST_F(XrayCauses, ComeWithTheErrorsOfTracedInvocations) {
  start([](const Event& event, const Context&, ResponseStream&) {
    if (event.body == "[]") throw std::runtime_error("plain");
    try {
      throw std::out_of_range("inner");
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  });
  EXPECT_EQ(cause("Root=1-a;Sampled=0"), "");
  const std::string nested = cause("Root=1-a;Parent=b;Sampled=1");
  EXPECT_TRUE(
      nested.starts_with(R"({"exceptions":[{"message":"outer","type":"std::runtime_error","stack":[]},)"
                         R"({"message":"inner","type":"std::out_of_range","stack":[]}],"working_directory":"/)"))
      << nested;
  EXPECT_TRUE(cause("Root=1-a", "[]").starts_with(R"({"exceptions":[{"message":"plain",)"));
  EXPECT_EQ(finish(), 1);
}

TEST_F(XrayCauses, ComeWithTheFailureOfAHandlerAndOfTheInitialisation) {
  start_plain([](const Event&, const Context&) { return Response::failure("Order.Empty", "m", {"f at a.cpp:1"}); });
  EXPECT_TRUE(
      cause("Root=1-a;Sampled=1")
          .starts_with(R"({"exceptions":[{"message":"m","type":"Order.Empty","stack":[{"label":"f at a.cpp:1"}]}])"));
  EXPECT_EQ(finish(), 1);
  start_program([] { return run_with([]() -> Handler { throw std::runtime_error("no"); }); });
  const auto report = server_.read().value_or(TestServer::Request{});
  server_.send_status("202 Accepted");
  runtime_.join();
  EXPECT_EQ(report.line(), "POST /2018-06-01/runtime/init/error HTTP/1.1");
  EXPECT_TRUE(
      report.field("Lambda-Runtime-Function-XRay-Error-Cause").starts_with(R"({"exceptions":[{"message":"no",)"));
}

class Snapshots : public Serving {
 protected:
  void SetUp() override {
    Serving::SetUp();
    ::setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start", 1);
  }
  static Response echo(const Event& event, const Context&) { return Response::borrowed(event.body); }
};

TEST_F(Snapshots, RunTheHooksOnEitherSide) {
  std::atomic<int> before = 0;
  std::atomic<int> after = 0;
  start_plain(echo, {.before_snapshot = [&] { ++before; }, .after_restore = [&] { ++after; }});
  const auto waiting = server_.read();
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->line(), "GET /2018-06-01/runtime/restore/next HTTP/1.1");
  EXPECT_EQ(before, 1);
  EXPECT_EQ(after, 0);
  server_.send_status("200 OK", "");
  EXPECT_EQ(invoke("[1]").body, "[1]");
  EXPECT_EQ(after, 1);
  EXPECT_EQ(finish(), 1);
}

TEST_F(Snapshots, EndWithTheShutdownHookWhereTheSignalComesBeforeTheRestore) {
  int hooks = 0;
  start_plain(echo,
              {.on_shutdown = [&](std::chrono::milliseconds) { ++hooks; }, .after_restore = [&] { hooks = 100; }});
  ASSERT_TRUE(server_.wait_for("\r\n\r\n"));
  ::kill(::getpid(), SIGTERM);
  runtime_.join();
  EXPECT_EQ(status_, 0);
  EXPECT_EQ(hooks, 1);
  struct sigaction action = {};
  ::sigaction(SIGTERM, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_DFL) << "as before";
}

TEST_F(Snapshots, EndWith64WhenTheHookBeforeFails) {
  start_plain(echo, {.before_snapshot = [] { throw std::runtime_error("no"); }});
  const auto report = server_.read();
  ASSERT_TRUE(report);
  server_.send_status("202 Accepted");
  runtime_.join();
  EXPECT_EQ(status_, 64);
  EXPECT_EQ(report->line(), "POST /2018-06-01/runtime/init/error HTTP/1.1");
  EXPECT_EQ(report->field("Lambda-Runtime-Function-Error-Type"), "Runtime.BeforeSnapshotError");
  EXPECT_EQ(report->body,
            R"({"errorMessage":"std::runtime_error: no","errorType":"Runtime.BeforeSnapshotError","stackTrace":[]})");
}

TEST_F(Snapshots, EndWith65WhenTheHookAfterFails) {
  start_plain(echo, {.after_restore = [] { throw std::runtime_error("no"); }});
  server_.read();
  server_.send_status("200 OK", "");
  const auto report = server_.read();
  ASSERT_TRUE(report);
  server_.send_status("202 Accepted");
  runtime_.join();
  EXPECT_EQ(status_, 65);
  EXPECT_EQ(report->line(), "POST /2018-06-01/runtime/restore/error HTTP/1.1");
  EXPECT_EQ(report->field("Lambda-Runtime-Function-Error-Type"), "Runtime.AfterRestoreError");
}

TEST_F(Snapshots, AreLeftOutWhereThePlatformTakesNone) {
  start_plain(echo);
  server_.read();
  server_.send_status("404 Not Found", "");
  EXPECT_EQ(invoke("[1]").body, "[1]");
  EXPECT_EQ(finish(), 1);
}

TEST_F(Serving, CallsNoSnapshotHooksElsewhere) {
  ::setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand", 1);
  const auto fail = [] { throw std::runtime_error("called"); };
  start_plain([](const Event& event, const Context&) { return Response::borrowed(event.body); },
              {.before_snapshot = fail, .after_restore = fail});
  EXPECT_EQ(invoke("[1]").body, "[1]");
  EXPECT_EQ(finish(), 1);
}

std::size_t resident_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

TEST(TraceVariableTest, LeavesWhatIsNotItsOwn) {
  ::setenv("_X_AMZN_TRACE_ID", "theirs", 1);
  {
    const runtime::TraceVariable unused;
  }
  EXPECT_STREQ(std::getenv("_X_AMZN_TRACE_ID"), "theirs");
  {
    runtime::TraceVariable used;
    used.set("ours");
    EXPECT_STREQ(std::getenv("_X_AMZN_TRACE_ID"), "ours");
  }
  EXPECT_EQ(std::getenv("_X_AMZN_TRACE_ID"), nullptr);
}

TEST(TraceVariableTest, TakesAMillionValuesWithoutMoreMemory) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "sanitizers keep memory of their own";
#endif
#endif
  runtime::TraceVariable variable;
  char value[] = "Root=1-5bef4de7-000000000000000000000000;Parent=9a9197af755a6419;Sampled=1";
  const auto set = [&](int i) {
    std::snprintf(value + 16, sizeof value - 16, "%024d", i);
    variable.set(value);
    return std::getenv("_X_AMZN_TRACE_ID");
  };
  for (int i = 0; i < 1000; ++i) set(i);
  const std::size_t before = resident_kb();
  for (int i = 0; i < 1'000'000; ++i) ASSERT_STREQ(set(i), value);
  EXPECT_LE(resident_kb(), before + 256) << "a leak of each value would be 70 MB";
}

}  // namespace
}  // namespace ogni
