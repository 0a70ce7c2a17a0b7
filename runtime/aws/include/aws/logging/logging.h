// The function's log, with printf's formats. Which levels are compiled in is decided by AWS_LAMBDA_LOG where this header
// is included: errors always, information from 1, debugging from 2.
#pragma once

#include <cstdarg>

namespace aws {
namespace logging {

enum class verbosity { error, info, debug };

// One entry with `tag` before the message, of any length: a line, or an object where AWS_LAMBDA_LOG_FORMAT is JSON.
// What is below AWS_LAMBDA_LOG_LEVEL is dropped.
void log(verbosity v, char const* tag, char const* msg, va_list args);

[[gnu::format(printf, 2, 3)]] inline void log_error(char const* tag, char const* msg, ...) {
  va_list args;
  va_start(args, msg);
  log(verbosity::error, tag, msg, args);
  va_end(args);
}

[[gnu::format(printf, 2, 3)]] inline void log_info(char const* tag, char const* msg, ...) {
#if defined(AWS_LAMBDA_LOG) && AWS_LAMBDA_LOG >= 1
  va_list args;
  va_start(args, msg);
  log(verbosity::info, tag, msg, args);
  va_end(args);
#else
  static_cast<void>(tag);
  static_cast<void>(msg);
#endif
}

[[gnu::format(printf, 2, 3)]] inline void log_debug(char const* tag, char const* msg, ...) {
#if defined(AWS_LAMBDA_LOG) && AWS_LAMBDA_LOG >= 2
  va_list args;
  va_start(args, msg);
  log(verbosity::debug, tag, msg, args);
  va_end(args);
#else
  static_cast<void>(tag);
  static_cast<void>(msg);
#endif
}

}  // namespace logging
}  // namespace aws
