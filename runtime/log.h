// Entries of the function's log as AWS's own runtimes write them. Source: AWS Lambda Developer Guide, "Configuring JSON
// and plain text log formats".
#pragma once

#include <cstdint>
#include <string_view>

#include "runtime/buffer.h"

namespace ogni::runtime {

enum class LogLevel : int { kTrace, kDebug, kInfo, kWarn, kError, kFatal };

struct LogSettings {
  bool json = false;
  LogLevel least = LogLevel::kTrace;  // what is below is dropped
  int frames_fd = -1;                 // of the platform, for framed entries
  int lines_fd = -1;                  // a socket of the platform, for lines; where neither is there: lines on stderr

  // AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL, _LAMBDA_TELEMETRY_LOG_FD, _LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET, to
  // which this connects, and which means JSON; it comes before a descriptor, as in AWS's own runtimes. What is not
  // understood, and a socket on which nobody listens, counts as not set.
  static LogSettings from_environment();
};

// Those of this process, read once. Any thread.
const LogSettings& process_log_settings();

struct LogEntry {
  LogLevel level = LogLevel::kInfo;
  std::string_view message;
  std::string_view request_id;
  std::string_view fields;   // members of a JSON object, without its braces: "order":7,"retry":true
  std::int64_t time_us = 0;  // Unix time
};

// One entry as it is written, with the end of its line, or within a frame.
void append_log_entry(Buffer& out, const LogSettings& settings, const LogEntry& entry);

// Now, with one system call where the descriptor takes all of it. What cannot be written is lost. Any thread.
void write_log(const LogSettings& settings, LogLevel level, std::string_view message, std::string_view request_id,
               std::string_view fields);

}  // namespace ogni::runtime
