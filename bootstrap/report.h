// What the caller gets when the handler, or its worker, has failed.
#pragma once

#include <string>
#include <string_view>

#include "bootstrap/frame.h"
#include "runtime/client.h"

namespace ogni::bootstrap {

struct ErrorReport {
  std::string type;
  std::string body;  // JSON as the worker made it; empty: made of the type and the message
  std::string message;
  std::string stack_trace;  // one entry per line

  std::string json() const;
};

// Without a stack trace.
ErrorReport plain_report(std::string type, std::string message);
// Of an "error" or "init-error" frame.
ErrorReport report_of(const FrameReader& frame);
// Puts the last lines of what was written on stderr behind the message. The worker's own line about the error, and what
// comes after that, is not among them.
void add_errors(ErrorReport& report, std::string_view errors);
// As the platform reports a runtime that ended. `death` as Worker::death() gives it.
ErrorReport exit_report(std::string_view death, std::string_view request_id);
// The worker did not keep to the protocol.
ErrorReport protocol_report();

// Answers the current invocation with it; where that is traced, with its cause for X-Ray.
[[nodiscard]] runtime::Client::Answer fail(runtime::Client& client, const ErrorReport& report);
// The same for one whose answer has begun to stream: what comes behind a part of it is cut to what trailers may hold.
[[nodiscard]] runtime::Client::Answer fail_stream(runtime::Client& client, const ErrorReport& report);
// A line on stderr, or an entry in JSON where that is the function's log format.
void log_failure(const ErrorReport& report, std::string_view request_id);
// The initialisation failed. The process shall end afterwards.
void fail_init(runtime::Client& client, const ErrorReport& report);

}  // namespace ogni::bootstrap
