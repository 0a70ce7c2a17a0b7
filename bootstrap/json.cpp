#include "bootstrap/json.h"

#include <algorithm>
#include <cstdint>

#include "bootstrap/text.h"
#include "runtime/json_escape.h"

namespace ogni::bootstrap {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Value of a hexadecimal digit; -1: it is none.
int hex(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string_view skip_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

// Checks a text from its start; each step takes off what it has accepted.
class Checker {
 public:
  explicit Checker(std::string_view text) : rest_(text) {}

  bool check() {
    if (!value(0)) return false;
    space();
    return rest_.empty();
  }

 private:
  void space() { rest_ = skip_space(rest_); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  bool value(int depth) {
    space();
    if (rest_.empty() || depth > Json::kDepthMax) return false;
    switch (rest_.front()) {
      case '{':
        return items('{', '}', depth);
      case '[':
        return items('[', ']', depth);
      case '"':
        return string();
      case 't':
        return take("true");
      case 'f':
        return take("false");
      case 'n':
        return take("null");
      default:
        return number();
    }
  }

  bool items(char open, char close, int depth) {
    take(open);
    space();
    if (take(close)) return true;
    do {
      space();
      if (open == '{' && !member_name()) return false;
      if (!value(depth + 1)) return false;
      space();
    } while (take(','));
    return take(close);
  }

  bool member_name() {
    if (!string()) return false;
    space();
    return take(':');
  }

  bool string() {
    if (!take('"')) return false;
    while (!rest_.empty()) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      if (byte == '"') return take('"');
      if (byte < 0x20) return false;
      if (byte == '\\') {
        if (!escape()) return false;
        continue;
      }
      const std::size_t bytes = byte < 0x80 ? 1 : runtime::utf8_sequence(rest_);
      if (bytes == 0) return false;
      rest_.remove_prefix(bytes);
    }
    return false;
  }

  bool escape() {
    if (rest_.size() < 2) return false;
    const char c = rest_[1];
    rest_.remove_prefix(2);
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    if (rest_.size() < 4) return false;
    for (int i = 0; i < 4; ++i) {
      if (hex(rest_[static_cast<std::size_t>(i)]) < 0) return false;
    }
    rest_.remove_prefix(4);
    return true;
  }

  bool digits() {
    if (rest_.empty() || !is_digit(rest_.front())) return false;
    while (!rest_.empty() && is_digit(rest_.front())) rest_.remove_prefix(1);
    return true;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (!take('e') && !take('E')) return true;
    if (!take('+')) take('-');
    return digits();
  }

  std::string_view rest_;
};

// Bytes of the string at the start, quotes included.
std::size_t string_bytes(std::string_view text) {
  std::size_t at = 1;
  while (true) {
    const std::size_t quote = text.find('"', at);
    if (quote == std::string_view::npos) return text.size();
    std::size_t backslashes = 0;
    while (text[quote - 1 - backslashes] == '\\') ++backslashes;  // ends at the opening quote at the latest
    at = quote + 1;
    if (backslashes % 2 == 0) return at;
  }
}

// Bytes of the value at the start of a text that is known to be JSON.
std::size_t value_bytes(std::string_view text) {
  if (text.front() == '"') return string_bytes(text);
  if (text.front() != '{' && text.front() != '[') {
    std::size_t end = 0;
    while (end < text.size() && !is_space(text[end]) && text[end] != ',' && text[end] != '}' && text[end] != ']') ++end;
    return end;
  }
  int depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '"') {
      at += string_bytes(text.substr(at));
      continue;
    }
    if (text[at] == '{' || text[at] == '[') ++depth;
    if (text[at] == '}' || text[at] == ']') --depth;
    ++at;
    if (depth == 0) return at;
  }
  return text.size();
}

std::uint32_t hex4(std::string_view text) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 4 | static_cast<std::uint32_t>(hex(text[i]));
  return value;
}

// Decodes the escape at the start (after the backslash) and takes it off.
void append_escape(std::string& out, std::string_view& text) {
  constexpr std::string_view kNames = "bfnrt";
  constexpr std::string_view kValues = "\b\f\n\r\t";
  const char c = text.front();
  text.remove_prefix(1);
  if (c != 'u') {
    const std::size_t named = kNames.find(c);
    out += named == std::string_view::npos ? c : kValues[named];
    return;
  }
  std::uint32_t unit = hex4(text);
  text.remove_prefix(4);
  if (unit >= 0xD800 && unit < 0xDC00 && text.size() >= 6 && text[0] == '\\' && text[1] == 'u') {
    const std::uint32_t second = hex4(text.substr(2));
    if (second >= 0xDC00 && second < 0xE000) {
      unit = 0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
      text.remove_prefix(6);
    }
  }
  append_utf8(out, unit >= 0xD800 && unit < 0xE000 ? 0xFFFD : unit);
}

}  // namespace

Json Json::parse(std::string_view text) {
  if (!Checker(text).check()) return {};
  text = skip_space(text);
  while (is_space(text.back())) text.remove_suffix(1);
  return Json(text);
}

Json::Kind Json::kind() const {
  if (raw_.empty()) return Kind::kNone;
  switch (raw_.front()) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
    case 'f':
      return Kind::kBoolean;
    case 'n':
      return Kind::kNull;
    default:
      return Kind::kNumber;
  }
}

std::string Json::text() const {
  if (!is(Kind::kString)) return std::string(raw_);
  std::string_view inner = raw_.substr(1, raw_.size() - 2);
  std::string result;
  result.reserve(inner.size());
  while (!inner.empty()) {
    const std::size_t plain = std::min(inner.find('\\'), inner.size());
    result.append(inner.substr(0, plain));
    inner.remove_prefix(plain);
    if (inner.empty()) break;
    inner.remove_prefix(1);
    append_escape(result, inner);
  }
  return result;
}

Json Json::operator[](std::string_view name) const {
  Json found;
  if (!is(Kind::kObject)) return found;
  for (JsonItems items(*this); items.next();) {
    if (items.key() == name) found = items.value();
  }
  return found;
}

JsonItems::JsonItems(Json container) : in_object_(container.is(Json::Kind::kObject)) {
  if (in_object_ || container.is(Json::Kind::kArray)) rest_ = container.raw().substr(1, container.raw().size() - 2);
}

Json JsonItems::take() {
  rest_ = skip_space(rest_);
  const std::size_t bytes = value_bytes(rest_);
  const Json value(rest_.substr(0, bytes));
  rest_ = skip_space(rest_.substr(bytes));
  return value;
}

bool JsonItems::next() {
  rest_ = skip_space(rest_);
  if (rest_.empty()) return false;
  if (rest_.front() == ',') rest_.remove_prefix(1);
  if (in_object_) {
    key_ = take();
    rest_.remove_prefix(1);  // the colon
  }
  value_ = take();
  return true;
}

}  // namespace ogni::bootstrap
