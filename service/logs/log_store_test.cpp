#include "service/logs/log_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <future>
#include <limits>
#include <thread>
#include <vector>

#include "base/system.h"
#include "base/temporary_directory.h"
#include "service/logs/line_splitter.h"

namespace ogni::service {
namespace {

constexpr WallTime kNoon{std::chrono::milliseconds(1583348638390)};

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

std::vector<std::string> split(LineSplitter& splitter, std::string_view bytes) {
  std::vector<std::string> lines;
  splitter.push(bytes, kAll, [&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

// What a flood of empty lines makes the reactor do is bounded by lines.
TEST(LineSplitter, StopsAfterSoManyLinesAndGoesOnWhereItStopped) {
  const std::string text = "a\n\n\nb\n" + std::string(2 * LineSplitter::kLineBytesMax, 'c') + "\nd";
  for (std::size_t lines_max = 1; lines_max < 9; ++lines_max) {
    LineSplitter splitter;
    std::vector<std::string> lines;
    std::size_t begin = 0;
    for (int calls = 0; begin < text.size(); ++calls) {
      ASSERT_LE(calls, 8);
      const std::size_t before = lines.size();
      const auto taken = splitter.push(std::string_view(text).substr(begin), lines_max,
                                       [&](std::string_view line) { lines.emplace_back(line); });
      ASSERT_GT(taken.bytes, 0U);
      ASSERT_EQ(taken.lines, lines.size() - before);
      ASSERT_LE(taken.lines, lines_max);
      begin += taken.bytes;
    }
    splitter.finish([&](std::string_view line) { lines.emplace_back(line); });
    ASSERT_EQ(lines.size(), 7U) << lines_max;
    EXPECT_EQ(lines[3], "b");
    EXPECT_EQ(lines[4].size(), LineSplitter::kLineBytesMax);
    EXPECT_EQ(lines[5].size(), LineSplitter::kLineBytesMax);
    EXPECT_EQ(lines[6], "d");
  }
}

TEST(LineSplitter, GivesTheSameLinesHoweverTheBytesAreSplit) {
  const std::string text = "one\n\ntwo\nthree without end";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    LineSplitter splitter;
    auto lines = split(splitter, text.substr(0, cut));
    for (auto& line : split(splitter, text.substr(cut))) lines.push_back(line);
    splitter.finish([&](std::string_view line) { lines.emplace_back(line); });
    EXPECT_EQ(lines, (std::vector<std::string>{"one", "", "two", "three without end"})) << "cut at " << cut;
  }
}

TEST(LineSplitter, CutsALineThatNeverEnds) {
  LineSplitter splitter;
  std::size_t longest = 0;
  std::size_t total = 0;
  for (int i = 0; i < 10; ++i) {
    splitter.push(std::string(100'000, 'x'), kAll, [&](std::string_view line) {
      longest = std::max(longest, line.size());
      total += line.size();
    });
  }
  splitter.finish([&](std::string_view line) { total += line.size(); });
  EXPECT_EQ(longest, LineSplitter::kLineBytesMax);
  EXPECT_EQ(total, 1'000'000U);
}

TEST(LogStore, GivesBackTheLastLinesOfAFunction) {
  TemporaryDirectory directory;
  LogStore store(directory.open());
  for (int i = 0; i < 10; ++i) store.append("f", "stream", kNoon, "line " + std::to_string(i));
  store.append("g", "stream", kNoon, "another function");

  EXPECT_EQ(store.tail("f", 2, 1 << 20).value(),
            "2020-03-04T19:03:58.390Z\tstream\tline 8\n2020-03-04T19:03:58.390Z\tstream\tline 9\n");
  EXPECT_EQ(store.tail("never-ran", 5, 1 << 20).value(), "");
}

TEST(LogStore, KeepsWhatWasFlushedForTheNextService) {
  TemporaryDirectory directory;
  LogStore(directory.open()).append("f", "s", kNoon, "before");
  LogStore store(directory.open());
  store.append("f", "s", kNoon, "after");
  const std::string text = store.tail("f", 10, 1 << 20).value();
  EXPECT_LT(text.find("before"), text.find("after"));
}

TEST(LogStore, IsBoundedOnDiskHoweverMuchIsPrinted) {
  TemporaryDirectory directory;
  LogStore store(directory.open());
  const std::string line(100'000, 'x');
  for (int i = 0; i < 500; ++i) {  // 50 MB
    store.append("f", "s", kNoon, line);
    if (i % 50 == 0) ASSERT_TRUE(store.tail("f", 1, 1000));  // the disk keeps up
  }
  ASSERT_TRUE(store.tail("f", 1, 1000));
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) bytes += entry.file_size();
  EXPECT_LE(bytes, 2 * LogStore::kFileBytesMax);
  EXPECT_GE(bytes, LogStore::kFileBytesMax);
}

// To open a pipe that nobody reads waits until somebody does, as a disk that hangs makes who writes to it wait.
class HangingDisk : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::mkfifo(pipe().c_str(), 0600), 0); }
  std::string pipe() const { return directory_.path() / "hangs.log"; }
  // Until the other side has closed it.
  std::string read_all() const {
    const auto end = open_file(pipe(), O_RDONLY);
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t count = 0; end && (count = ::read(end->get(), buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
  }
  TemporaryDirectory directory_;
};

TEST_F(HangingDisk, HoldsUpNobodyWhoLogs) {
  LogStore store(directory_.open());
  store.append("hangs", "s", kNoon, "line");
  store.flush();
  std::promise<Result<std::string>> tail;
  store.tail({.function = "other", .lines = 1, .bytes_max = 1000},
             [&](Result<std::string> text) { tail.set_value(std::move(text)); });
  store.append("other", "s", kNoon, "line");
  store.flush();
  auto read = tail.get_future();
  EXPECT_NE(read.wait_for(std::chrono::seconds(0)), std::future_status::ready) << "the disk does not hang";

  EXPECT_EQ(read_all(), "2020-03-04T19:03:58.390Z\ts\tline\n");

  EXPECT_EQ(read.get().value(), "") << "what was logged after it was asked for";
  EXPECT_EQ(store.tail("other", 9, 1000).value(), "2020-03-04T19:03:58.390Z\ts\tline\n");
}

TEST_F(HangingDisk, IsWaitedForByABoundedAmountOfLinesAndReaders) {
  LogStore store(directory_.open());
  store.append("hangs", "s", kNoon, "line");
  store.flush();
  std::atomic<int> served = 0;
  int refused = 0;
  const std::string line(100'000, 'x');
  for (int i = 0; i < 200; ++i) store.append("f", "s", kNoon, line);  // 20 MB
  for (int i = 0; i < 100; ++i) {
    store.tail({.function = "f", .lines = 0, .bytes_max = 1000}, [&](const Result<std::string>& text) {
      text ? void(++served) : void(++refused);  // refused at once, on this thread
    });
  }
  EXPECT_EQ(refused, 36);
  read_all();
  while (served < 64) std::this_thread::yield();
  EXPECT_LT(std::filesystem::file_size(directory_.path() / "f.log"), LogWriter::kBytesWaitingMax);
  EXPECT_GT(std::filesystem::file_size(directory_.path() / "f.log"), LogWriter::kBytesWaitingMax * 9 / 10);
  store.append("f", "s", kNoon, "again");
  EXPECT_TRUE(store.tail("f", 1, 1000).value().ends_with("again\n"));
}

TEST(LogStore, TellsFollowersUntilTheyLeave) {
  TemporaryDirectory directory;
  LogStore store(directory.open());
  std::vector<std::string> seen;
  {
    auto subscription = store.follow("f", [&](std::string_view line) { seen.emplace_back(line); });
    store.append("f", "s", kNoon, "one");
    store.flush();
    store.append("f", "s", kNoon, "two");
    store.append("other", "s", kNoon, "not for us");
  }
  store.append("f", "s", kNoon, "three");
  EXPECT_EQ(seen,
            (std::vector<std::string>{"2020-03-04T19:03:58.390Z\ts\tone\n", "2020-03-04T19:03:58.390Z\ts\ttwo\n"}));
}

TEST(LogStore, DoesNotFollowASymbolicLinkPutInItsPlace) {
  TemporaryDirectory directory;
  std::filesystem::create_symlink("/etc/passwd", directory.path() / "f.log");
  LogStore store(directory.open());
  store.append("f", "s", kNoon, "line");
  EXPECT_FALSE(store.tail("f", 1, 1000));
}

}  // namespace
}  // namespace ogni::service
