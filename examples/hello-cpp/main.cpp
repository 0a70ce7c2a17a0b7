// Greets whoever the event names, and returns any other event as it came.
#include <ogni/runtime.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Takes `expected` from the front of `text`, with the white space before it.
bool take(std::string_view& text, std::string_view expected) {
  text = trim(text);
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

// NAME of an event that is {"name":"NAME"}, still escaped as in JSON. A real function would use its JSON
// library.
std::optional<std::string_view> name_in(std::string_view event) {
  if (!take(event, "{") || !take(event, "\"name\"") || !take(event, ":") || !take(event, "\"")) return std::nullopt;
  std::size_t end = 0;
  while (end < event.size() && event[end] != '"') end += event[end] == '\\' ? 2 : 1;
  if (end >= event.size() || trim(event.substr(end + 1)) != "}") return std::nullopt;
  return event.substr(0, end);
}

ogni::Response hello(const ogni::Event& event, const ogni::Context&) {
  const auto name = name_in(event.body);
  if (!name) return ogni::Response::borrowed(event.body);
  std::string greeting = "{\"message\":\"Hello, ";
  greeting.append(*name).append("!\"}");
  return ogni::Response::success(std::move(greeting));
}

}  // namespace

int main() { return ogni::run(hello); }
