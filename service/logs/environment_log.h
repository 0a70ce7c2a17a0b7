// The log stream of one execution environment: what its program prints, with the platform's lines around it.
//
// Formats as AWS writes them (text log format). Source: AWS Lambda Developer Guide, "Lambda function logs", and the log
// tails of recorded invocations.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "service/logs/line_splitter.h"
#include "service/logs/log_store.h"

namespace ogni::service {

struct InvocationReport {
  std::string_view request_id;
  std::chrono::nanoseconds duration{};
  std::optional<std::chrono::nanoseconds> init;  // only where init went well outside the invocation
  int memory_mb = 0;
  std::uint64_t memory_used_bytes = 0;
  std::string_view status;      // "", "error" or "timeout"
  std::string_view error_type;  // with status "error"
};

enum class InitPhaseName { kInit, kInvoke };

// "YYYY/MM/DD/[$LATEST]<32 hex>" for an environment made at `created`.
std::string make_log_stream_name(WallTime created, std::string_view version);

class EnvironmentLog {
 public:
  EnvironmentLog(LogStore& store, std::string function, std::string stream)
      : store_(store), function_(std::move(function)), stream_(std::move(stream)) {}

  const std::string& stream() const { return stream_; }

  // Bytes of the program's stdout and stderr, in arrival order, as far as `lines_max` lines go. All get the same time.
  LineSplitter::Taken output(std::string_view bytes, std::size_t lines_max = std::numeric_limits<std::size_t>::max());
  // Ends a line that the program left open.
  void end_line();
  // A line of the platform's own.
  void platform(std::string_view line);

  void init_start(std::string_view runtime, std::string_view runtime_version_arn);
  void init_report(std::chrono::nanoseconds duration, InitPhaseName phase, std::string_view status,
                   std::string_view error_type);
  // From here to report() lines are also kept for the tail, the last 4 KiB of them.
  void start(std::string_view request_id, std::string_view version);
  void end(std::string_view request_id);
  void report(const InvocationReport& report);
  // What START to REPORT said, cut to its last 4 KiB.
  std::string take_tail();

 private:
  void line(std::string_view text) { line(std::chrono::system_clock::now(), text); }
  void line(WallTime time, std::string_view text);

  LogStore& store_;
  std::string function_;
  std::string stream_;
  LineSplitter splitter_;
  std::string tail_;
  bool in_invocation_ = false;
};

}  // namespace ogni::service
