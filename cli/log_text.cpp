#include "cli/log_text.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace ogni::cli {
namespace {

namespace json = boost::json;

std::string text_of(const json::value& value) {
  if (const double* number = value.if_double()) return fmt::format("{}", *number);
  const json::string* text = value.if_string();
  return text == nullptr ? json::serialize(value) : std::string(*text);
}

const json::string* string_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_string();
}

// Objects within are spread out: "metrics":{"durationMs":1} is durationMs=1.
void append_members(std::string& text, const json::object& members, std::string_view left_out_1 = {},
                    std::string_view left_out_2 = {}) {
  for (const auto& [name, value] : members) {
    if (name == left_out_1 || name == left_out_2 || name == "stackTrace" || name == "timestamp") continue;
    if (const json::object* inner = value.if_object()) {
      append_members(text, *inner);
    } else {
      text += " " + std::string(name) + "=" + text_of(value);
    }
  }
}

void append_stack(std::string& text, const json::object& entry) {
  const json::value* stack = entry.if_contains("stackTrace");
  const json::array* lines = stack == nullptr ? nullptr : stack->if_array();
  if (lines == nullptr) return;
  for (const json::value& line : *lines) text += "\n  " + text_of(line);
}

std::string readable(std::string_view line) {
  boost::system::error_code error;
  const json::value parsed = line.starts_with('{') ? json::parse(line, error) : json::value();
  const json::object* entry = error ? nullptr : parsed.if_object();
  if (entry == nullptr) return std::string(line);
  const json::string* type = string_in(*entry, "type");
  const json::value* record = entry->if_contains("record");
  if (type != nullptr && type->starts_with("platform.") && record != nullptr && record->is_object()) {
    std::string text(*type);
    append_members(text, *record->if_object());
    return text;
  }
  const json::string* level = string_in(*entry, "level");
  const json::value* message = entry->if_contains("message");
  if (level == nullptr || message == nullptr) return std::string(line);
  std::string text = std::string(*level) + " " + text_of(*message);
  append_members(text, *entry, "level", "message");
  append_stack(text, *entry);
  return text;
}

}  // namespace

std::vector<std::string> lines_to_show(std::string_view line) {
  const std::string text = readable(line);
  std::vector<std::string> lines;
  std::string_view rest = text;
  while (true) {
    const std::size_t end = rest.find_first_of("\r\n");
    lines.emplace_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    const bool is_pair = rest.substr(end).starts_with("\r\n");
    rest.remove_prefix(end + (is_pair ? 2 : 1));
    if (rest.empty()) break;
  }
  return lines;
}

}  // namespace ogni::cli
