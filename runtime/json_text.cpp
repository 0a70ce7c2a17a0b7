#include "runtime/json_text.h"

#include "runtime/json_escape.h"

namespace ogni::runtime {

void append_json_string(std::string& out, std::string_view text) { append_escaped_json(out, text); }

std::string error_json(std::string_view type, std::string_view message, const std::vector<std::string>& stack_trace) {
  std::string out = "{\"errorMessage\":";
  append_json_string(out, message);
  out += ",\"errorType\":";
  append_json_string(out, type);
  out += ",\"stackTrace\":[";
  for (std::size_t i = 0; i < stack_trace.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, stack_trace[i]);
  }
  out += "]}";
  return out;
}

}  // namespace ogni::runtime
