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
  log.end("rid");
  log.report({.request_id = "rid",
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
  log.end("rid");
  log.report({.request_id = "rid",
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
  log.end("rid");
  log.report({.request_id = "rid"});
  const std::string tail = log.take_tail();
  EXPECT_EQ(tail.size(), 4096U);
  EXPECT_NE(tail.find("REPORT RequestId: rid"), std::string::npos);
}

TEST_F(EnvironmentLogTest, WhatIsPrintedBetweenInvocationsIsNotInATail) {
  log.output("from init\n");
  log.start("rid", "$LATEST");
  log.end("rid");
  log.report({.request_id = "rid"});
  EXPECT_EQ(log.take_tail().find("from init"), std::string::npos);
  EXPECT_NE(store.tail("f", 100, 1 << 20).value().find("\tfrom init\n"), std::string::npos);
}

TEST(LogStreamName, HasDateVersionAndAnId) {
  const std::string name = make_log_stream_name(WallTime(std::chrono::milliseconds(1583348638390)), "$LATEST");
  EXPECT_TRUE(std::regex_match(name, std::regex(R"(2020/03/04/\[\$LATEST\][0-9a-f]{32})"))) << name;
}

}  // namespace
}  // namespace ogni::service
