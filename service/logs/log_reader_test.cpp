// A pipe that is flooded: how much of it is worked off at once, and that nothing of it is lost.
#include "service/logs/log_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "base/fd.h"
#include "base/temporary_directory.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;

class LogReaderTest : public ::testing::Test {
 protected:
  LogReaderTest() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    out_ = Fd(ends[0]);
    in_ = Fd(ends[1]);
    reader_.read_from(out_.get());
  }
  void print(std::string_view bytes) {
    ASSERT_EQ(::write(in_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  std::size_t lines() {
    const std::string written = store_.tail("f", 1'000'000, 64 << 20).value();
    return static_cast<std::size_t>(std::ranges::count(written, '\n'));
  }
  // Runs the event loop, and says how many lines the busiest round took.
  std::size_t run(asio::awaitable<void> what) {
    bool done = false;
    asio::co_spawn(
        context_,
        [](asio::awaitable<void> work, bool& over) -> asio::awaitable<void> {
          co_await std::move(work);
          over = true;
        }(std::move(what), done),
        asio::detached);
    std::size_t most = 0;
    while (!done) {
      const std::uint64_t before = reader_.taken();
      if (context_.run_one() == 0) break;
      most = std::max(most, static_cast<std::size_t>(reader_.taken() - before));
    }
    return most;
  }

  Fd out_;
  Fd in_;
  TemporaryDirectory directory_;
  LogStore store_{directory_.open()};
  EnvironmentLog log_{store_, "f", "stream"};
  asio::io_context context_{1};
  std::shared_ptr<Turns> turns_ =
      std::make_shared<Turns>(context_.get_executor(), std::chrono::hours(1'000'000), std::chrono::microseconds(0));
  LogReader reader_{log_, turns_->join()};
};

TEST_F(LogReaderTest, WorksOffAPipeOfEmptyLinesSomeHundredInEachRound) {
  print(std::string(LogReader::kReadBytes, '\n'));
  EXPECT_EQ(reader_.waiting(), LogReader::kReadBytes);
  const std::size_t most = run(reader_.drain_in_turns());
  EXPECT_LE(most, static_cast<std::size_t>(WorkShare::kUnitsMax) + LogReader::kLinesPerTurn);
  EXPECT_EQ(lines(), LogReader::kReadBytes);
  EXPECT_EQ(reader_.waiting(), 0U);
}

TEST_F(LogReaderTest, DrainsWhatAFunctionPrintsAtOnceAndSaysWhereMoreIsLeft) {
  EXPECT_TRUE(reader_.drain(400));
  print(std::string(300, '\n'));
  EXPECT_TRUE(reader_.drain(400));
  print(std::string(1000, '\n'));
  EXPECT_FALSE(reader_.drain(400));
  EXPECT_TRUE(reader_.has_rest());
  EXPECT_EQ(reader_.waiting(), 600U);
  EXPECT_FALSE(reader_.drain(0));
  EXPECT_TRUE(reader_.drain(600));
  EXPECT_EQ(lines(), 1300U);
}

TEST_F(LogReaderTest, DrainsWhatWasThereAndNotWhatComesMeanwhile) {
  print(std::string(5000, '\n'));
  asio::co_spawn(context_, reader_.drain_in_turns(), asio::detached);
  context_.run_one();
  ASSERT_LT(reader_.taken(), 5000U);
  print(std::string(5000, '\n'));
  context_.run();
  EXPECT_GE(reader_.taken(), 5000U);
  EXPECT_LT(reader_.taken(), 5000U + LogReader::kLinesPerTurn);
}

TEST_F(LogReaderTest, EndsWithThePipeAndWhenItIsStopped) {
  print("a\nb");
  in_.reset();
  LogReader::Read read = LogReader::Read::kNothing;
  const auto work = [&]() -> asio::awaitable<void> { read = co_await reader_.work(); };
  run(work());
  EXPECT_EQ(read, LogReader::Read::kSome);
  EXPECT_EQ(lines(), 1U);
  run(work());
  EXPECT_EQ(read, LogReader::Read::kEnd);
  reader_.stop();
  run(work());
  EXPECT_EQ(read, LogReader::Read::kNothing);
  EXPECT_TRUE(reader_.drain(1));
}

}  // namespace
}  // namespace ogni::service
