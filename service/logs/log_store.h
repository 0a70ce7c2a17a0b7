// The functions' logs on disk: one file per function, bounded, with followers.
//
//   <directory>/<function>.log    "<ISO time>\t<log stream>\t<line>\n", oldest first
//   <directory>/<function>.log.1  the file before it; an older one is gone
//
// Lines are collected in memory and given to the writer's thread when flush() is called (the daemon does so a tenth of a
// second after the first), when much has come together, and at the end: a killed service loses the last tenth of a second,
// and what the disk has not taken yet. A disk that is full, slow or hangs costs lines, never an invocation. Called by one
// thread, the reactor.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/fd.h"
#include "base/result.h"
#include "base/text.h"
#include "service/logs/log_writer.h"

namespace ogni::service {

class LogStore {
 public:
  static constexpr std::uint64_t kFileBytesMax = LogWriter::kFileBytesMax;
  static constexpr std::size_t kBufferBytesMax = 64 << 10;

  // Called with each formatted line, newline included. Must not call back into the store.
  using Follower = std::function<void(std::string_view line)>;
  // Follows while it lives.
  class [[nodiscard]] Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&& other) noexcept = default;
    Subscription& operator=(Subscription&& other) noexcept = default;
    ~Subscription() = default;

   private:
    friend class LogStore;
    std::shared_ptr<Follower> follower_;
  };

  explicit LogStore(Fd directory) : writer_(std::move(directory)) {}
  // `begun` is called when there is something to flush() where there was nothing.
  void on_unwritten(std::function<void()> begun) { begun_ = std::move(begun); }
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;
  ~LogStore() { flush(); }

  void append(const std::string& function, std::string_view stream, WallTime time, std::string_view line);
  void flush();

  // The last `lines` lines at most, and no more than `bytes_max` bytes, oldest first, of all that was appended so far.
  void tail(LogWriter::Tail tail, LogWriter::Done done);
  // Waits for the disk: not for the reactor.
  [[nodiscard]] Result<std::string> tail(const std::string& function, std::size_t lines, std::size_t bytes_max);

  Subscription follow(const std::string& function, Follower follower);

 private:
  struct FunctionLog {
    std::string unwritten;
    std::list<std::weak_ptr<Follower>> followers;
  };
  void write_out(const std::string& function, FunctionLog& log);

  LogWriter writer_;
  std::unordered_map<std::string, FunctionLog> logs_;
  std::list<std::string> dirty_;
  std::function<void()> begun_;
  WallTime stamped_;   // many lines have one time
  std::string stamp_;  // its text
};

}  // namespace ogni::service
