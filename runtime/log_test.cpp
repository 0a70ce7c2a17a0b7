#include "runtime/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "ogni/log.hpp"
#include "ogni/runtime.h"

namespace ogni::runtime {
namespace {

std::string entry(const LogSettings& settings, const LogEntry& given) {
  Buffer out;
  append_log_entry(out, settings, given);
  return std::string(out.view());
}

constexpr LogEntry kEntry = {.level = LogLevel::kWarn,
                             .message = "a \"b\"\n",
                             .request_id = "id-1",
                             .fields = "\"n\":7",
                             .time_us = 1'767'225'600'123'456};

TEST(Log, WritesAwssJson) {
  EXPECT_EQ(entry({.json = true}, kEntry),
            "{\"timestamp\":\"2026-01-01T00:00:00.123Z\",\"level\":\"WARN\",\"requestId\":\"id-1\","
            "\"message\":\"a \\\"b\\\"\\n\",\"n\":7}\n");
  EXPECT_EQ(entry({.json = true}, {.message = "x"}),
            "{\"timestamp\":\"1970-01-01T00:00:00.000Z\",\"level\":\"INFO\",\"message\":\"x\"}\n");
}

TEST(Log, WritesPlainLines) {
  EXPECT_EQ(entry({}, {.message = "x", .request_id = "id-1", .time_us = 1'767'225'600'123'456}),
            "[INFO]\t2026-01-01T00:00:00.123Z\tid-1\tx\n");
  EXPECT_EQ(entry({}, {.level = LogLevel::kError, .message = "x", .fields = "\"n\":7"}),
            "[ERROR]\t1970-01-01T00:00:00.000Z\t\tx\t{\"n\":7}\n");
}

TEST(Log, WritesFramesWhereThePlatformHasADescriptorForThem) {
  const std::string frame =
      entry({.json = false, .frames_fd = 9}, {.level = LogLevel::kInfo, .message = "x", .time_us = 258});
  const std::string text = "[INFO]\t1970-01-01T00:00:00.000Z\t\tx";
  ASSERT_EQ(frame.size(), 16 + text.size());
  const char head[] = "\xa5\x5a\x00\x0f\x00\x00\x00\x22\x00\x00\x00\x00\x00\x00\x01\x02";
  EXPECT_EQ(frame, std::string(head, 16) + text);
}

TEST(Log, TakesItsSettingsFromTheEnvironment) {
  const auto with = [](const char* format, const char* level, const char* fd) {
    ::setenv("AWS_LAMBDA_LOG_FORMAT", format, 1);
    ::setenv("AWS_LAMBDA_LOG_LEVEL", level, 1);
    ::setenv("_LAMBDA_TELEMETRY_LOG_FD", fd, 1);
    return LogSettings::from_environment();
  };
  EXPECT_FALSE(with("", "", "").json);
  EXPECT_EQ(with("", "", "").least, LogLevel::kTrace);
  EXPECT_EQ(with("Text", "", "-1").frames_fd, -1);
  EXPECT_TRUE(with("JSON", "", "").json);
  EXPECT_EQ(with("JSON", "", "").least, LogLevel::kInfo);
  EXPECT_EQ(with("JSON", "error", "").least, LogLevel::kError);
  EXPECT_EQ(with("JSON", "loud", "").least, LogLevel::kInfo);
  EXPECT_EQ(with("JSON", "", "62").frames_fd, 62);
  for (const char* name : {"AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL", "_LAMBDA_TELEMETRY_LOG_FD"})
    ::unsetenv(name);
}

// What a process with this environment writes to the descriptor `to`: the settings are read once in a process.
std::string written_by_child(int to, const char* format, const std::function<void()>& log) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("AWS_LAMBDA_LOG_FORMAT", format, 1);
    if (to != STDERR_FILENO) ::setenv("_LAMBDA_TELEMETRY_LOG_FD", std::to_string(to).c_str(), 1);
    ::dup2(ends[1], to);
    log();
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string all;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    all.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0 ? all : "the child failed";
}

TEST(Log, WritesFieldsOfEveryKind) {
  const std::string line = written_by_child(STDERR_FILENO, "JSON", [] {
    log::debug("dropped");
    log::info("kept", {{"text", "ä\""},
                       {"yes", true},
                       {"whole", -7},
                       {"large", ~std::uint64_t{0}},
                       {"real", 0.5},
                       {"none", std::nan("")},
                       log::Field::json("json", "[1]")});
  });
  const std::string end =
      R"("level":"INFO","message":"kept","text":"ä\"","yes":true,"whole":-7,"large":18446744073709551615,"real":0.5,)"
      R"("none":null,"json":[1]})"
      "\n";
  ASSERT_GT(line.size(), end.size());
  EXPECT_EQ(line.substr(line.size() - end.size()), end);
  EXPECT_EQ(line.find("dropped"), std::string::npos);
}

// More than a pipe takes at once, from several threads, into a descriptor that does not block.
TEST(Log, WritesWholeFrames) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(::fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
  const LogSettings settings = {.json = true, .frames_fd = ends[1]};
  const auto write = [&](char letter) {
    const std::string message(200'000, letter);
    for (int i = 0; i < 20; ++i) write_log(settings, LogLevel::kInfo, message, "id", {});
  };
  std::string all;
  std::thread reader([&] {
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
      all.append(buffer, static_cast<std::size_t>(got));
  });
  std::thread other(write, 'a');
  write('b');
  other.join();
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  std::size_t at = 0;
  while (at + 16 <= all.size()) {
    ASSERT_EQ(all.substr(at, 4), std::string("\xa5\x5a\x00\x0e", 4)) << at;
    std::size_t bytes = 0;
    for (std::size_t i = 4; i < 8; ++i) bytes = bytes << 8 | static_cast<unsigned char>(all[at + i]);
    const std::string frame = all.substr(at + 16, bytes);
    EXPECT_NE(frame.find("aaaa") == std::string::npos, frame.find("bbbb") == std::string::npos);
    at += 16 + bytes;
  }
  EXPECT_EQ(at, all.size());
  EXPECT_GT(all.size(), 200'000U);
}

TEST(Log, GoesToThePlatformsDescriptorFromCAsWell) {
  const std::string frames = written_by_child(60, "Text", [] {
    ogni_log(nullptr, OGNI_LOG_TRACE, "first", 5);
    ogni_log(nullptr, OGNI_LOG_FATAL, "second\nline", 11);
    ogni_log(nullptr, 99, nullptr, 0);
  });
  ASSERT_GT(frames.size(), 16U);
  const auto length = [&](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(frames[at + 6])) << 8 |
           static_cast<unsigned char>(frames[at + 7]);
  };
  const std::string_view type_of_first(frames.data(), 4);
  EXPECT_EQ(type_of_first, std::string_view("\xa5\x5a\x00\x07", 4));
  const std::size_t second = 16 + length(0);
  ASSERT_GT(frames.size(), second + 16);
  EXPECT_EQ(frames.substr(second, 4), std::string("\xa5\x5a\x00\x1b", 4));
  EXPECT_EQ(frames.substr(second + 16, length(second)).substr(0, 8), "[FATAL]\t");
  const std::size_t third = second + 16 + length(second);
  EXPECT_EQ(frames.size(), third + 16 + length(third));
}

// The platform's socket for the log of an environment that serves several invocations at once.
class LogSocket : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ogni-log-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path().c_str());
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener_, 4), 0);
    ::setenv("_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET", path().c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET");
    stop_listening();
    std::filesystem::remove_all(directory_);
  }
  std::string path() const { return (directory_ / "log").string(); }
  void stop_listening() {
    if (listener_ >= 0) ::close(std::exchange(listener_, -1));
  }

  std::filesystem::path directory_;
  int listener_ = -1;
};

TEST_F(LogSocket, TakesLinesOfJsonWhateverTheFormatAndTheDescriptor) {
  const std::string elsewhere = written_by_child(60, "Text", [] {
    log::info("first", {{"n", 7}});
    ogni_log(nullptr, OGNI_LOG_ERROR, "second", 6);
    log::debug("dropped");
  });
  EXPECT_EQ(elsewhere, "");
  const int connection = ::accept(listener_, nullptr, nullptr);
  ASSERT_GE(connection, 0);
  std::string all;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(connection, buffer, sizeof buffer)) > 0;)
    all.append(buffer, static_cast<std::size_t>(got));
  ::close(connection);
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 2) << all;
  EXPECT_TRUE(all.starts_with("{\"timestamp\":")) << all;
  EXPECT_NE(all.find("\"level\":\"INFO\",\"message\":\"first\",\"n\":7}\n"), std::string::npos) << all;
  EXPECT_TRUE(all.ends_with("\"level\":\"ERROR\",\"message\":\"second\"}\n")) << all;
}

TEST_F(LogSocket, IsDoneWithoutWhereNobodyListens) {
  stop_listening();
  const std::string line = written_by_child(STDERR_FILENO, "Text", [] { log::info("here"); });
  EXPECT_TRUE(line.starts_with("[INFO]\t")) << line;
  ::setenv("_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET", std::string(300, 'x').c_str(), 1);
  EXPECT_EQ(LogSettings::from_environment().lines_fd, -1);
}

TEST_F(LogSocket, GivesWayToStderrWhenThePlatformHasClosedIt) {
  const std::string line = written_by_child(STDERR_FILENO, "Text", [this] {
    static_cast<void>(process_log_settings());
    ::close(::accept(listener_, nullptr, nullptr));
    log::info("here");
    log::info("and here");
  });
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 2) << line;
  EXPECT_NE(line.find("\"message\":\"here\"}"), std::string::npos) << line;
}

}  // namespace
}  // namespace ogni::runtime
