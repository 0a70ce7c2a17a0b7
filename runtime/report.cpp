#include "runtime/report.h"

#include <unistd.h>

#include "runtime/json_escape.h"

namespace ogni::runtime {

void append_error_json(Buffer& out, std::string_view type, std::string_view message, std::string_view stack_trace) {
  out.append("{\"errorMessage\":");
  append_escaped_json(out, message);
  out.append(",\"errorType\":");
  append_escaped_json(out, type);
  out.append(",\"stackTrace\":[");
  for (bool first = true; !stack_trace.empty(); first = false) {
    const std::size_t end = stack_trace.find('\n');
    if (!first) out.append(",");
    append_escaped_json(out, slice(stack_trace, 0, end));
    stack_trace = end == std::string_view::npos ? std::string_view() : slice(stack_trace, end + 1);
  }
  out.append("]}");
}

std::string_view platform_type(std::string_view type) {
  return begins_with(type, "Runtime.") || begins_with(type, "Function.") ? type : "Function.Unhandled";
}

void log_line(std::string_view text) {
  char line[1024] = "ogni: ";
  std::size_t size = 6;
  for (const char c : text) {
    if (size == sizeof line - 1) break;
    line[size++] = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  while (size > 6 && line[size - 1] == ' ') --size;
  line[size++] = '\n';
  // Where stderr takes nothing, there is nobody to tell.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line, size);
}

}  // namespace ogni::runtime
