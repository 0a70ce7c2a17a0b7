// The same function very often, as a process of its own: its memory stays as it is. `make soak` (OGNI_SOAK=1) makes it a
// million times.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

#include "ogni/runtime.h"
#include "ogni/runtime.hpp"
#include "runtime/test_server.h"

namespace ogni::runtime {
namespace {

constexpr int kWarm = 1000;
constexpr std::size_t kGrowthKbMax = 256;  // a leak of each trace id would be 70 MB in the long form

int invocations() {
  const char* soak = std::getenv("OGNI_SOAK");
  return soak != nullptr && *soak == '1' ? 1'000'000 : 10'000;
}

std::size_t resident_kb(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

// What the handler sees of its trace id, so that the environment is read as well.
std::string_view trace_variable() {
  const char* trace = std::getenv("_X_AMZN_TRACE_ID");
  return trace == nullptr ? std::string_view() : std::string_view(trace);
}

int serve_in_cpp() {
  return run([](const Event& event, const Context& context) {
    if (trace_variable() != context.trace_id) return Response::failure("Test.Trace", "another one");
    if (event.body == "\"fail\"") throw std::runtime_error("as asked");
    return Response::borrowed(event.body);
  });
}

int serve_in_c() {
  ogni_runtime* runtime = ogni_open(nullptr, nullptr);
  while (ogni_next(runtime) == OGNI_OK) {
    std::size_t bytes = 0;
    const char* event = ogni_event(runtime, &bytes);
    const bool fails = trace_variable() != ogni_trace_id(runtime) || std::string_view(event, bytes) == "\"fail\"";
    const int status = fails ? ogni_fail(runtime, "std::runtime_error", "as asked", nullptr)
                             : ogni_respond(runtime, event, bytes, nullptr);
    if (status == OGNI_FATAL) break;
  }
  ogni_close(runtime);
  return 1;
}

class Soak : public testing::TestWithParam<int (*)()> {};

TEST_P(Soak, LeavesTheMemoryOfTheProcessAsItIs) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "sanitizers keep memory of their own";
#endif
#endif
  TestServer server;
  ASSERT_TRUE(server.ok());
  ::setenv("AWS_LAMBDA_RUNTIME_API", server.address().c_str(), 1);
  const pid_t process = ::fork();
  if (process == 0) ::_exit(GetParam()());
  std::size_t warm_kb = 0;
  int wrong = 0;
  char trace[] =
      "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-000000000000000000000000;Parent=9a9197af755a6419;Sampled=1\r\n";
  constexpr std::size_t kDigitsAt = 41;
  const int count = invocations();
  for (int i = 0; i < count; ++i) {
    if (i == kWarm) warm_kb = resident_kb(process);
    char digits[25];
    std::snprintf(digits, sizeof digits, "%024d", i);
    std::memcpy(trace + kDigitsAt, digits, 24);
    const bool fails = i % 10 == 9;
    const bool large = i % 500 == 7;
    const std::string event = fails ? "\"fail\"" : large ? std::string(100'000, '1') : R"({"name":"World"})";
    if (!server.read()) break;
    server.send_event("id-" + std::to_string(i), event, trace);
    const auto answer = server.read();
    server.send_status("202 Accepted");
    const std::string what = fails ? "/error" : "/response";
    const bool right =
        answer && answer->line() == "POST /2018-06-01/runtime/invocation/id-" + std::to_string(i) + what + " HTTP/1.1";
    if (!right || (fails ? answer->body.find("as asked") == std::string::npos : answer->body != event)) ++wrong;
  }
  EXPECT_TRUE(server.read());
  const std::size_t end_kb = resident_kb(process);
  server.send_status("500 Internal Server Error");
  int status = 0;
  ::waitpid(process, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(warm_kb, 0U);
  EXPECT_LE(end_kb, warm_kb + kGrowthKbMax) << "after " << count << " invocations";
  RecordProperty("invocations", count);
  std::printf("%d invocations: %zu KB after %d, %zu KB at the end\n", count, warm_kb, kWarm, end_kb);
}

INSTANTIATE_TEST_SUITE_P(Functions, Soak, testing::Values(&serve_in_cpp, &serve_in_c),
                         [](const auto& info) { return info.index == 0 ? "InCpp" : "InC"; });

}  // namespace
}  // namespace ogni::runtime
