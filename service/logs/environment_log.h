// The log stream of one execution environment: what its program prints, with the platform's lines around it.
//
// Formats as AWS writes them. Text: source is the AWS Lambda Developer Guide, "Lambda function logs", and the log tails of
// recorded invocations. JSON: each line of the platform's is an event of the Telemetry API, of a level that SystemLogLevel
// admits or not; source is the guide, "Lambda Telemetry API Event schema reference" and "Log-level filtering".
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "service/logs/line_splitter.h"
#include "service/logs/log_config.h"
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

// What begins to initialise, and where.
struct InitStart {
  InitPhaseName phase = InitPhaseName::kInit;
  std::string_view runtime;
  std::string_view runtime_version_arn;
  std::string_view version;
  int memory_mb = 0;
};

// "YYYY/MM/DD/[$LATEST]<32 hex>" for an environment made at `created`.
std::string make_log_stream_name(WallTime created, std::string_view version);

class EnvironmentLog {
 public:
  EnvironmentLog(LogStore& store, std::string function, std::string stream, LogConfig config = {})
      : store_(store), function_(std::move(function)), stream_(std::move(stream)), config_(std::move(config)) {}

  const std::string& stream() const { return stream_; }

  // Bytes of the program's stdout and stderr, in arrival order, as far as `lines_max` lines go. All get the same time.
  LineSplitter::Taken output(std::string_view bytes, std::size_t lines_max = std::numeric_limits<std::size_t>::max());
  // Ends a line that the program left open.
  void end_line();
  // What the platform has to say to the function's author, which AWS would not say.
  void notice(std::string_view text);
  // What an invocation has failed with, before its end: the lines of the text format, or their message.
  void failed(std::string_view request_id, std::string_view message, std::string_view error_type);
  void timed_out(std::string_view request_id, std::string_view message);

  void init_start(const InitStart& init);
  // The program polls for the first time: said in JSON only.
  void init_done(std::chrono::nanoseconds duration, InitPhaseName phase);
  // Of one that has failed.
  void init_report(std::chrono::nanoseconds duration, InitPhaseName phase, std::string_view status,
                   std::string_view error_type);
  // From here to report() lines are also kept for the tail, the last 4 KiB of them.
  void start(std::string_view request_id, std::string_view version);
  // END and REPORT.
  void end(const InvocationReport& report);
  // What START to REPORT said, cut to its last 4 KiB.
  std::string take_tail();

 private:
  void line(std::string_view text) { line(std::chrono::system_clock::now(), text); }
  void line(WallTime time, std::string_view text);
  // A line of the function's.
  void printed(WallTime time, std::string_view text);
  void platform(std::string_view text);
  void report(const InvocationReport& report);
  void error_entry(std::string_view request_id, std::string_view message, std::string_view error_type);
  // Ends an open line and writes {"time", "type", "record"}; nothing where `level` is below SystemLogLevel.
  void event(LogLevel level, std::string_view type, std::string_view record);

  LogStore& store_;
  std::string function_;
  std::string stream_;
  LogConfig config_;
  LineSplitter splitter_;
  std::string tail_;
  bool in_invocation_ = false;
};

}  // namespace ogni::service
