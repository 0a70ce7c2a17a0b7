// Puts logs on the disk, and takes them from there, on a thread of its own: a disk that is slow, or hangs, holds up nobody else.
//
// Everything is done in the order in which it was asked for. Called by one thread, the reactor.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::service {

class LogWriter {
 public:
  static constexpr std::uint64_t kFileBytesMax = 16 << 20;
  // What may wait for the disk. Beyond the one lines are lost, beyond the other readers are refused.
  static constexpr std::size_t kBytesWaitingMax = 16 << 20;
  static constexpr std::size_t kReadersWaitingMax = 64;

  // Called on the writer's thread, or at once when it is refused.
  using Done = std::move_only_function<void(Result<std::string>)>;
  struct Tail {
    std::string function;
    std::size_t lines = 0;
    std::size_t bytes_max = 0;
  };

  // Throws std::system_error when this process may start no more threads.
  explicit LogWriter(Fd directory);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  // Finishes what was begun.
  ~LogWriter();

  void write(std::string function, std::string lines);
  // Errors: kIo, kUnavailable. A function that has never logged has an empty log.
  void read(Tail tail, Done done);

 private:
  using Job = std::move_only_function<void()>;
  void run();
  void tell_of_loss(const std::string& why);
  Result<void> append_to_file(const std::string& function, const std::string& lines) const;
  Result<std::string> read_tail(const Tail& tail) const;

  Fd directory_;
  std::mutex mutex_;
  std::condition_variable arrival_;
  std::deque<Job> jobs_;
  std::size_t bytes_waiting_ = 0;
  std::size_t readers_waiting_ = 0;
  bool loses_ = false;  // has been told
  bool ends_ = false;
  std::jthread thread_;
};

}  // namespace ogni::service
