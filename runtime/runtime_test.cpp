#include "ogni/runtime.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <stdexcept>
#include <thread>

#include "runtime/json_text.h"
#include "runtime/test_fixtures.h"
#include "runtime/trace_variable.h"

namespace {

thread_local std::size_t allocations = 0;

void* counted(std::size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes); }
void* operator new[](std::size_t bytes) { return counted(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace ogni {
namespace {

using runtime::TestServer;

struct BadOrder : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class RuntimeTest : public runtime::FunctionTest {
 protected:
  void SetUp() override {
    FunctionTest::SetUp();
    ::setenv("AWS_LAMBDA_FUNCTION_NAME", "greeter", 1);
    ::setenv("AWS_LAMBDA_FUNCTION_VERSION", "7", 1);
    ::setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256", 1);
    ::setenv("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/greeter", 1);
    ::setenv("AWS_LAMBDA_LOG_STREAM_NAME", "stream", 1);
  }
  void start(Handler handler) {
    start_program([handler = std::move(handler)] { return run(handler); });
  }
};

TEST_F(RuntimeTest, CallsTheHandlerWithEventAndContext) {
  std::string seen;
  start([&](const Event& event, const Context& context) {
    seen = std::string(event.body) + "|" + std::string(event.content_type) + "|" + std::string(context.request_id) +
           "|" + std::string(context.function_name) + "|" + std::string(context.function_version) + "|" +
           std::to_string(context.memory_mb) + "|" + std::string(context.log_group) + "|" +
           std::string(context.log_stream) + "|" + std::string(context.invoked_function_arn) + "|" +
           std::string(context.tenant_id);
    const auto left = context.remaining_time();
    seen += left > std::chrono::seconds(1) && left <= std::chrono::seconds(60) ? "|in time" : "|late";
    return Response::success("{}");
  });
  const auto response =
      invoke("[1]", "Lambda-Runtime-Invoked-Function-Arn: arn:f\r\nLambda-Runtime-Aws-Tenant-Id: t\r\n");
  EXPECT_EQ(response.body, "{}");
  EXPECT_EQ(response.field("Content-Type"), "application/json");
  EXPECT_EQ(finish(), 1);
  EXPECT_EQ(seen, "[1]|application/json|id-1|greeter|7|256|/aws/lambda/greeter|stream|arn:f|t|in time");
}

TEST(Context, HasNoTimeLeftAfterItsDeadline) {
  Context context;
  EXPECT_EQ(context.remaining_time().count(), 0);
}

TEST_F(RuntimeTest, TurnsExceptionsIntoErrorsAndGoesOn) {
  start([](const Event& event, const Context&) -> Response {
    if (event.body == "1") throw BadOrder("no \"items\"\n");
    if (event.body == "2") throw 42;
    if (event.body == "3") throw std::string("text");
    if (event.body == "4") return Response::failure("Order.Empty", "nothing in it", {"line 1", "line 2"});
    return Response::borrowed(event.body, "text/plain");
  });
  const auto thrown = invoke("1");
  EXPECT_EQ(thrown.line(), "POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1");
  EXPECT_EQ(thrown.body,
            R"({"errorMessage":"no \"items\"\n","errorType":"ogni::(anonymous namespace)::BadOrder","stackTrace":[]})");
  EXPECT_NE(invoke("2").body.find(R"("errorType":"int")"), std::string::npos);
  EXPECT_NE(invoke("3").body.find(R"({"errorMessage":"text",)"), std::string::npos);
  EXPECT_EQ(invoke("4").body,
            R"({"errorMessage":"nothing in it","errorType":"Order.Empty","stackTrace":["line 1","line 2"]})");
  const auto fine = invoke("5");
  EXPECT_EQ(fine.body, "5");
  EXPECT_EQ(fine.field("Content-Type"), "text/plain");
  EXPECT_EQ(finish(), 1);
}

TEST_F(RuntimeTest, SetsTheTraceIdForTheCallAndRemovesItWhereThereIsNone) {
  start([](const Event&, const Context&) {
    const char* trace = std::getenv("_X_AMZN_TRACE_ID");
    return Response::success(trace == nullptr ? "none" : trace);
  });
  EXPECT_EQ(invoke("{}", "Lambda-Runtime-Trace-Id: Root=1-a\r\n").body, "Root=1-a");
  EXPECT_EQ(invoke("{}").body, "none");
  EXPECT_EQ(invoke("{}", "Lambda-Runtime-Trace-Id: Root=1-bc\r\n").body, "Root=1-bc");
  EXPECT_EQ(invoke("{}", "Lambda-Runtime-Trace-Id: " + std::string(5000, 'x') + "\r\n").body, "none");
  EXPECT_EQ(finish(), 1);
  EXPECT_EQ(std::getenv("_X_AMZN_TRACE_ID"), nullptr);
}

TEST(TraceVariable, ReplacesWhatTheHandlerHasPutThere) {
  runtime::TraceVariable variable;
  variable.set("first");
  ::setenv("_X_AMZN_TRACE_ID", "the handler's", 1);
  variable.set("second");
  EXPECT_STREQ(std::getenv("_X_AMZN_TRACE_ID"), "second");
}

TEST_F(RuntimeTest, ReportsAFailedInitialisation) {
  TestServer::Request report;
  std::thread platform([&] {
    report = server_.read().value_or(TestServer::Request{});
    server_.send_status("202 Accepted");
  });
  const int status = run_with([]() -> Handler { throw BadOrder("no configuration"); });
  platform.join();
  EXPECT_NE(status, 0);
  EXPECT_EQ(report.line(), "POST /2018-06-01/runtime/init/error HTTP/1.1");
  EXPECT_NE(report.body.find("no configuration"), std::string::npos);
}

TEST_F(RuntimeTest, RefusesToStartWithoutAPlatform) {
  ::unsetenv("AWS_LAMBDA_RUNTIME_API");
  EXPECT_EQ(run([](const Event&, const Context&) { return Response::success("{}"); }), 1);
}

TEST_F(RuntimeTest, AllocatesNothingWhenWarm) {
  std::vector<std::size_t> counts;
  counts.reserve(100);
  start([&](const Event& event, const Context&) {
    counts.push_back(allocations);
    return Response::borrowed(event.body);
  });
  for (int i = 0; i < 20; ++i) invoke("{\"name\":\"World\"}", "Lambda-Runtime-Trace-Id: Root=1-a\r\n");
  finish();
  ASSERT_EQ(counts.size(), 20U);
  EXPECT_EQ(counts[19], counts[1]);
}

TEST(JsonText, EscapesWhateverBytesThereAre) {
  const auto quoted = [](std::string_view text) {
    std::string out;
    runtime::append_json_string(out, text);
    return out;
  };
  EXPECT_EQ(quoted("a\"\\\n\r\t\x01\x1f"), R"("a\"\\\n\r\t\u0001\u001f")");
  EXPECT_EQ(quoted("ä€𝄞"), "\"ä€𝄞\"");
  EXPECT_EQ(quoted("\xff\xc0\x80\xed\xa0\x80z"),
            "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\"");
  EXPECT_EQ(quoted("\xe2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

// --- System calls, counted on the C++ example ---

std::filesystem::path programs() { return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path(); }

std::size_t lines_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return static_cast<std::size_t>(
      std::count(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>(), '\n'));
}

class SystemCalls : public RuntimeTest {
 protected:
  void SetUp() override {
    RuntimeTest::SetUp();
    char name[] = "/tmp/ogni-runtime-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // System calls of the whole process that serves so many invocations; 0 if strace cannot run here.
  std::size_t count(int invocations, std::string_view fields = {}) {
    TestServer server;
    const std::string trace = directory_ / "trace";
    const std::string program = programs() / "examples/hello-cpp/bootstrap";
    const std::string variable = "AWS_LAMBDA_RUNTIME_API=" + server.address();
    const pid_t process = ::fork();
    if (process == 0) {
      const int null = ::open("/dev/null", O_RDWR);
      ::dup2(null, STDERR_FILENO);
      ::execl("/usr/bin/strace", "strace", "-o", trace.c_str(), "-E", variable.c_str(), program.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < invocations && server.read(); ++i) {
      server.send_event("id-1", "[1]", fields);
      if (!server.read()) break;
      server.send_status("202 Accepted");
    }
    server.read();
    server.send_status("500 Internal Server Error");
    int status = 0;
    ::waitpid(process, &status, 0);
    return server.connections() == 1 ? lines_of(trace) : 0;
  }

  std::filesystem::path directory_;
};

TEST_F(SystemCalls, AreFourForAWarmInvocationAndFewerWhereThePlatformAllows) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "sanitizers make system calls of their own";
#endif
#endif
  const std::string probe = "/usr/bin/strace -o " + (directory_ / "probe").string() + " /bin/true 2>/dev/null";
  if (std::system(probe.c_str()) != 0) GTEST_SKIP() << "strace is not here or may not trace";
  const std::size_t few = count(10);
  const std::size_t many = count(110);
  ASSERT_GT(few, 0U);
  EXPECT_EQ(many - few, 400U);
  // Where the poll may leave with the answer: two where the acknowledgement and the event come together, else three.
  constexpr std::string_view kTakesIt = "Ogni-Runtime-Pipelining: 1\r\n";
  const std::size_t pipelined = count(110, kTakesIt) - count(10, kTakesIt);
  EXPECT_GE(pipelined, 2U * 110 - 3 * 10);
  EXPECT_LE(pipelined, 3U * 110 - 2 * 10);
}

}  // namespace
}  // namespace ogni
