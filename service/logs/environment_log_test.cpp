#include "service/logs/environment_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string>

#include "base/temporary_directory.h"

namespace ogni::service {
namespace {

using namespace std::chrono_literals;

struct EnvironmentLogTest : ::testing::Test {
  TemporaryDirectory directory;
  LogStore store{directory.open()};
  EnvironmentLog log{store, "f", "stream"};
};

TEST_F(EnvironmentLogTest, WritesTheLinesOfAnInvocationAsAwsDoes) {
  log.start("rid", "$LATEST");
  log.output("hello\nhalf");
  log.end({.request_id = "rid",
           .duration = 1'230us,
           .init = 100ms,
           .memory_mb = 128,
           .memory_used_bytes = 30 << 20,
           .status = {},
           .error_type = {}});
  EXPECT_EQ(
      log.take_tail(),
      "START RequestId: rid Version: $LATEST\nhello\nhalf\nEND RequestId: rid\n"
      "REPORT RequestId: rid\tDuration: 1.23 ms\tBilled Duration: 102 ms\tMemory Size: 128 MB\tMax Memory Used: 30 "
      "MB\tInit Duration: 100.00 ms\t\n");
}

TEST_F(EnvironmentLogTest, TakesSoManyLinesOfAReadAndGivesAllOneTime) {
  const std::string bytes(1000, '\n');
  const auto taken = log.output(bytes, 300);
  EXPECT_EQ(taken.bytes, 300U);
  EXPECT_EQ(taken.lines, 300U);
  const std::string written = store.tail("f", 1000, 1 << 20).value();
  EXPECT_EQ(std::ranges::count(written, '\n'), 300);
  std::set<std::string> times;
  for (std::size_t begin = 0; begin < written.size(); begin = written.find('\n', begin) + 1) {
    times.insert(written.substr(begin, written.find('\t', begin) - begin));
  }
  EXPECT_EQ(times.size(), 1U);
  EXPECT_EQ(log.output(std::string_view(bytes).substr(taken.bytes)).lines, 700U);
}

TEST_F(EnvironmentLogTest, NamesTheErrorInTheReport) {
  log.start("rid", "$LATEST");
  log.end({.request_id = "rid",
           .duration = 3s,
           .init = {},
           .memory_mb = 128,
           .memory_used_bytes = 1,
           .status = "error",
           .error_type = "Runtime.ExitError"});
  EXPECT_TRUE(log.take_tail().ends_with("Max Memory Used: 1 MB\tStatus: error\tError Type: Runtime.ExitError\n"));
}

TEST_F(EnvironmentLogTest, KeepsOnlyTheLastFourKibibytesForTheTail) {
  log.start("rid", "$LATEST");
  for (int i = 0; i < 1000; ++i) log.output("a line of the function's own\n");
  log.end({.request_id = "rid"});
  const std::string tail = log.take_tail();
  EXPECT_EQ(tail.size(), 4096U);
  EXPECT_NE(tail.find("REPORT RequestId: rid"), std::string::npos);
}

TEST_F(EnvironmentLogTest, WhatIsPrintedBetweenInvocationsIsNotInATail) {
  log.output("from init\n");
  log.start("rid", "$LATEST");
  log.end({.request_id = "rid"});
  EXPECT_EQ(log.take_tail().find("from init"), std::string::npos);
  EXPECT_NE(store.tail("f", 100, 1 << 20).value().find("\tfrom init\n"), std::string::npos);
}

// A function that logs in JSON, with these levels.
struct JsonLogTest : EnvironmentLogTest {
  EnvironmentLog make(std::string_view application, std::string_view system) {
    const std::string stored = R"({"LoggingConfig":{"LogFormat":"JSON","ApplicationLogLevel":")" +
                               std::string(application) + R"(","SystemLogLevel":")" + std::string(system) + R"("}})";
    return {store, "f", "stream", log_config(stored)};
  }
  // Everything logged, with the times taken away.
  std::string lines() {
    const std::string text = store.tail("f", 100, 1 << 20).value();
    const std::string bare = std::regex_replace(text, std::regex("[^\n]*\tstream\t"), "");
    return std::regex_replace(bare, std::regex(R"!("(time|timestamp)":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")!"),
                              "@");
  }
  static void serve(EnvironmentLog& log, std::string_view status = {}, std::string_view error_type = {}) {
    log.init_start({.runtime = "python3.11", .runtime_version_arn = "arn", .version = "$LATEST", .memory_mb = 128});
    log.init_done(100ms, InitPhaseName::kInit);
    log.start("rid", "$LATEST");
    log.output("{\"level\":\"debug\"}\n{\"level\": \"ERROR\"}\nplain \"level\"\n{\"level\":\n");
    if (status == "error") log.failed("rid", "it \"ended\"", error_type);
    log.end({.request_id = "rid",
             .duration = 1'230us,
             .init = 100ms,
             .memory_mb = 128,
             .memory_used_bytes = 30 << 20,
             .status = status,
             .error_type = error_type});
  }
};

TEST_F(JsonLogTest, WritesEventsInsteadOfLines) {
  auto log = make("INFO", "INFO");
  serve(log);
  const std::string invocation =
      "{@,\"type\":\"platform.start\",\"record\":{\"requestId\":\"rid\",\"version\":\"$LATEST\"}}\n"
      "{\"level\": \"ERROR\"}\nplain \"level\"\n{\"level\":\n"
      "{@,\"type\":\"platform.report\",\"record\":{\"requestId\":\"rid\",\"status\":\"success\",\"metrics\":{"
      "\"durationMs\":1.230,\"billedDurationMs\":102,\"memorySizeMB\":128,\"maxMemoryUsedMB\":30,"
      "\"initDurationMs\":100.000}}}\n";
  EXPECT_EQ(lines(),
            "{@,\"type\":\"platform.initStart\",\"record\":{\"initializationType\":\"on-demand\",\"phase\":\"init\","
            "\"runtimeVersion\":\"python3.11\",\"runtimeVersionArn\":\"arn\",\"functionName\":\"f\","
            "\"functionVersion\":\"$LATEST\",\"instanceId\":\"stream\",\"instanceMaxMemory\":128}}\n" +
                invocation);
  EXPECT_TRUE(log.take_tail().starts_with("{\"time\":\"")) << "the tail has the same lines";
}

TEST_F(JsonLogTest, SystemLogLevelAdmitsEvents) {
  auto quiet = make("FATAL", "WARN");
  serve(quiet);
  EXPECT_EQ(lines(), "plain \"level\"\n{\"level\":\n");
  serve(quiet, "error", "Runtime.ExitError");
  const std::string failed = lines();
  EXPECT_EQ(failed.find("platform.start"), std::string::npos);
  EXPECT_NE(
      failed.find("{@,\"level\":\"ERROR\",\"message\":\"it \\\"ended\\\"\",\"errorType\":\"Runtime.ExitError\","
                  "\"requestId\":\"rid\"}\n{@,\"type\":\"platform.runtimeDone\",\"record\":{\"requestId\":\"rid\","
                  "\"status\":\"error\",\"errorType\":\"Runtime.ExitError\",\"metrics\":{\"durationMs\":1.230}}}\n"
                  "{@,\"type\":\"platform.report\","),
      std::string::npos)
      << failed;
  auto loud = make("TRACE", "DEBUG");
  serve(loud);
  for (const char* told :
       {"\"level\":\"debug\"", "platform.initRuntimeDone", "platform.initReport", "platform.runtimeDone"}) {
    EXPECT_NE(lines().find(told), std::string::npos) << told;
  }
}

TEST_F(JsonLogTest, TextFormatHasNoLevels) {
  EnvironmentLog text{store, "f", "stream", log_config(R"({"LoggingConfig":{"LogFormat":"Text"}})")};
  serve(text);
  EXPECT_NE(lines().find("{\"level\":\"debug\"}\n"), std::string::npos);
  EXPECT_EQ(lines().find("platform."), std::string::npos);
  for (const char* stored : {"", "[]", "{\"LoggingConfig\":1}", "{\"LoggingConfig\":{\"LogFormat\":1}}"}) {
    EXPECT_FALSE(log_config(stored).is_json) << stored;
  }
}

TEST(LogStreamName, HasDateVersionAndAnId) {
  const std::string name = make_log_stream_name(WallTime(std::chrono::milliseconds(1583348638390)), "$LATEST");
  EXPECT_TRUE(std::regex_match(name, std::regex(R"(2020/03/04/\[\$LATEST\][0-9a-f]{32})"))) << name;
}

}  // namespace
}  // namespace ogni::service
