// Brings what a program prints from its pipe into the log, in bounded pieces: lines are work, however few bytes they have.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "service/logs/environment_log.h"
#include "service/turns.h"

namespace ogni::service {

class LogReader {
 public:
  // In one turn. A line costs a unit of the environment's share, and so do as many bytes.
  static constexpr std::size_t kLinesPerTurn = 100;
  static constexpr std::size_t kBytesPerUnit = 512;
  static constexpr std::size_t kReadBytes = 64 * 1024;

  LogReader(EnvironmentLog& log, std::shared_ptr<Turns::Member> turns) : log_(log), turns_(std::move(turns)) {}
  // The end of a pipe that does not block, and stays open until stop().
  void read_from(int descriptor) { descriptor_ = descriptor; }
  // Nothing is read any more.
  void stop() { descriptor_ = -1; }

  enum class Read { kSome, kNothing, kEnd };
  // One turn's work: takes lines of what was read, and reads once where nothing is left of that.
  boost::asio::awaitable<Read> work();
  // At once. Whether that was all.
  bool drain(std::size_t lines_max);
  // What is there when it is called, in turns.
  boost::asio::awaitable<void> drain_in_turns();

  bool has_rest() const { return !rest_.empty(); }
  // Bytes that are read and not yet taken, and those in the pipe.
  std::size_t waiting() const;
  std::uint64_t taken() const { return taken_; }

 private:
  Read fill();
  std::size_t take(std::size_t lines_max);

  EnvironmentLog& log_;
  std::shared_ptr<Turns::Member> turns_;
  int descriptor_ = -1;
  std::string rest_;
  std::size_t rest_begin_ = 0;
  std::uint64_t taken_ = 0;  // bytes cut into lines
};

}  // namespace ogni::service
