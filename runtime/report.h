// What the core says: errors as JSON for the platform, and lines for the function's log.
#pragma once

#include <string_view>

#include "runtime/buffer.h"

namespace ogni::runtime {

// {"errorMessage":…,"errorType":…,"stackTrace":[…]}, as every AWS runtime reports it. `stack_trace`: lines separated by
// '\n'. Bytes that are not UTF-8 become U+FFFD.
void append_error_json(Buffer& out, std::string_view type, std::string_view message, std::string_view stack_trace);

// The same without a stack, in `bytes_max` bytes (2000 at least): a long type and the message are cut.
void append_short_error_json(Buffer& out, std::string_view type, std::string_view message, std::size_t bytes_max);

// The platform accepts "Runtime.Name" and "Function.Name" for its own log; the caller sees the real type in any case.
std::string_view platform_type(std::string_view type);

// "ogni: " and `text` on stderr, in one system call. Control characters become spaces.
void log_line(std::string_view text);

}  // namespace ogni::runtime
