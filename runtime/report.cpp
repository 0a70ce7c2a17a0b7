#include "runtime/report.h"

#include <unistd.h>

#include "runtime/json_escape.h"
#include "runtime/utf8.h"

namespace ogni::runtime {
namespace {

constexpr std::size_t kShortTypeBytesMax = 256;

}  // namespace

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

void append_short_error_json(Buffer& out, std::string_view type, std::string_view message, std::size_t bytes_max) {
  // An escape has six bytes at most, so this never takes away too much.
  constexpr std::size_t kEscapeBytesMax = 6;
  const std::size_t begin = out.size();
  message = cut_utf8(message, bytes_max);
  while (true) {
    append_error_json(out, cut_utf8(type, kShortTypeBytesMax), message, {});
    const std::size_t size = out.size() - begin;
    if (!out.ok() || size <= bytes_max || message.empty()) return;
    const std::size_t fewer = (size - bytes_max + kEscapeBytesMax - 1) / kEscapeBytesMax;
    message = cut_utf8(message, message.size() > fewer ? message.size() - fewer : 0);
    out.set_size(begin);
  }
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
