#include "runtime/prelude.h"

#include "runtime/http_parser.h"
#include "runtime/json_escape.h"

namespace ogni::runtime {
namespace {

struct Field {
  std::string_view name;
  std::string_view value;
};

bool is_space(char c) { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text = slice(text, 1);
  while (!text.empty() && is_space(text.back())) text = slice(text, 0, text.size() - 1);
  return text;
}

// Takes a line from the front of `text`; the line may end with "\r\n".
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = slice(text, 0, end);
  text = end == std::string_view::npos ? std::string_view() : slice(text, end + 1);
  if (!line.empty() && line.back() == '\r') line = slice(line, 0, line.size() - 1);
  return line;
}

bool has_control(std::string_view text) {
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return true;
  }
  return false;
}

bool parse_field(std::string_view line, Field& field) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  field = {slice(line, 0, colon), trim(slice(line, colon + 1))};
  return is_token(field.name) && !has_control(field.value);
}

// One JSON string out of the value of `field` and those of the same name in `rest`.
void append_values(Buffer& out, Buffer& joined, const Field& field, std::string_view rest) {
  joined.clear();
  joined.append(field.value);
  Field other;
  while (!rest.empty()) {
    if (!parse_field(take_line(rest), other) || !equals_ignoring_case(other.name, field.name)) continue;
    joined.append(", ").append(other.value);
  }
  append_escaped_json(out, joined.view());
}

// Joined by commas, cookies could not be told apart.
bool is_cookie(const Field& field) { return equals_ignoring_case(field.name, "set-cookie"); }

bool is_named_in(std::string_view lines, std::string_view name) {
  Field other;
  while (!lines.empty()) {
    if (parse_field(take_line(lines), other) && equals_ignoring_case(other.name, name)) return true;
  }
  return false;
}

}  // namespace

bool append_prelude_json(Buffer& out, int status, std::string_view headers, std::string_view cookies) {
  if (status < 100 || status > 999) return false;
  out.append("{\"statusCode\":").append_decimal(static_cast<std::uint64_t>(status)).append(",\"headers\":{");
  Buffer joined;
  bool first = true;
  for (std::string_view rest = headers; !rest.empty();) {
    const std::string_view line = take_line(rest);
    if (line.empty()) continue;
    Field field;
    if (!parse_field(line, field)) return false;
    if (is_cookie(field)) continue;
    if (is_named_in(slice(headers, 0, static_cast<std::size_t>(line.data() - headers.data())), field.name)) continue;
    out.append(first ? "" : ",");
    append_escaped_json(out, field.name);
    out.append(":");
    append_values(out, joined, field, rest);
    if (!joined.ok()) return false;
    first = false;
  }
  out.append("},\"cookies\":[");
  first = true;
  const auto append_cookie = [&](std::string_view cookie) {
    out.append(first ? "" : ",");
    append_escaped_json(out, cookie);
    first = false;
  };
  for (std::string_view rest = headers; !rest.empty();) {
    Field field;
    if (parse_field(take_line(rest), field) && is_cookie(field)) append_cookie(field.value);
  }
  for (std::string_view rest = cookies; !rest.empty();) {
    const std::string_view cookie = trim(take_line(rest));
    if (cookie.empty()) continue;
    if (has_control(cookie)) return false;
    append_cookie(cookie);
  }
  out.append("]}");
  return true;
}

}  // namespace ogni::runtime
