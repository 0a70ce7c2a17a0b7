#include "bootstrap/toml.h"

#include <algorithm>
#include <cstdint>

#include "bootstrap/settings.h"
#include "bootstrap/text.h"
#include "runtime/json_escape.h"

namespace ogni::bootstrap {
namespace {

bool is_name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
 public:
  Parser(std::string_view text, const std::function<bool(std::string_view)>& is_known, TomlValues& values)
      : rest_(text), is_known_(is_known), values_(values) {}

  bool parse() {
    while (true) {
      skip_blank_lines();
      if (rest_.empty()) return true;
      if (rest_.front() == '[') {
        if (!table()) return false;
      } else if (is_foreign_) {
        skip_foreign_pair();
      } else if (!pair()) {
        return false;
      }
    }
  }

  std::string problem() const { return "line " + std::to_string(line_) + ": " + problem_; }

 private:
  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  char front() const { return rest_.empty() ? '\0' : rest_.front(); }
  void advance() {
    if (front() == '\n') ++line_;
    rest_.remove_prefix(1);
  }
  bool take(char c) {
    if (rest_.empty() || front() != c) return false;
    advance();
    return true;
  }
  void skip_blanks() {
    while (front() == ' ' || front() == '\t') advance();
  }
  void skip_line() {
    while (!rest_.empty() && !take('\n')) advance();
  }
  void skip_text() {
    const char quote = front();
    const std::string_view fence = quote == '"' ? R"(""")" : "'''";
    const bool is_long = rest_.substr(0, fence.size()) == fence;
    const std::string_view end = is_long ? fence : fence.substr(0, 1);
    rest_.remove_prefix(end.size());
    while (!rest_.empty() && rest_.substr(0, end.size()) != end) {
      if (front() == '\n' && !is_long) return;
      if (quote == '"' && front() == '\\' && rest_.size() > 1) advance();
      advance();
    }
    rest_.remove_prefix(std::min(end.size(), rest_.size()));
  }
  // A pair of a table that is not ours, whatever its value is: texts and lists may go over several lines.
  void skip_foreign_pair() {
    int depth = 0;
    while (!rest_.empty()) {
      const char c = front();
      if (c == '"' || c == '\'') {
        skip_text();
      } else if (c == '#') {
        while (!rest_.empty() && front() != '\n') advance();
      } else if (c == '\n' && depth <= 0) {
        return;
      } else {
        depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
        advance();
      }
    }
  }
  void skip_blank_lines() {
    while (!rest_.empty()) {
      if (front() == '#') {
        skip_line();
      } else if (front() == ' ' || front() == '\t' || front() == '\n' || front() == '\r') {
        advance();
      } else {
        return;
      }
    }
  }
  // Nothing but a comment may follow.
  bool end_of_line() {
    skip_blanks();
    if (front() == '#') {
      skip_line();
      return true;
    }
    take('\r');
    return rest_.empty() || take('\n') || fail("something follows that does not belong there");
  }

  std::string name() {
    std::string result;
    while (is_name_character(front())) {
      result += front();
      advance();
    }
    return result;
  }

  bool table() {
    take('[');
    skip_blanks();
    table_ = name();
    skip_blanks();
    is_foreign_ = table_.empty() || front() != ']' || !is_known_(table_ + ".");
    if (is_foreign_) {
      skip_line();
      return true;
    }
    take(']');
    table_ += '.';
    return end_of_line();
  }

  bool pair() {
    const std::string key = name();
    if (key.empty()) return fail("a key is expected");
    const std::string full = table_ + key;
    skip_blanks();
    if (!take('=')) return fail("'=' is expected after " + full);
    if (!is_known_(full)) return fail("there is no setting " + full);
    skip_blanks();
    std::string text;
    if (!value(text)) return false;
    if (!values_.emplace(full, std::move(text)).second) return fail(full + " is set twice");
    return end_of_line();
  }

  bool value(std::string& text) {
    if (front() == '"' || front() == '\'') return string(text);
    if (front() == '[') return array(text);
    while (is_name_character(front()) || front() == '+') {
      text += front();
      advance();
    }
    if (text == "true" || text == "false") return true;
    bool is_number = !text.empty();
    for (std::size_t i = text.starts_with('-') ? 1 : 0; i < text.size(); ++i) is_number &= is_digit(text[i]);
    if (!is_number || text == "-" || front() == '.' || front() == ':') {
      return fail("a string, an integer, true, false or an array of strings is expected");
    }
    return true;
  }

  bool string(std::string& text) {
    const char quote = front();
    if (rest_.substr(0, 3) == std::string(3, quote)) return fail("strings of several lines are not read here");
    advance();
    while (!take(quote)) {
      const auto byte = static_cast<unsigned char>(front());
      if (rest_.empty() || (byte < 0x20 && byte != '\t') || byte == 0x7F) return fail("a string is not closed");
      if (quote == '"' && byte == '\\') {
        if (!escape(text)) return false;
        continue;
      }
      const std::size_t bytes = runtime::utf8_sequence(rest_);
      if (bytes == 0) return fail("this is not UTF-8");
      text.append(rest_.substr(0, bytes));
      rest_.remove_prefix(bytes);
    }
    return true;
  }

  bool escape(std::string& text) {
    constexpr std::string_view kNames = "btnfr\"\\";
    constexpr std::string_view kValues = "\b\t\n\f\r\"\\";
    advance();
    const char c = front();
    const std::size_t named = kNames.find(c);
    if (c == 'u' || c == 'U') {
      advance();
      return code_point(c == 'u' ? 4 : 8, text);
    }
    if (rest_.empty() || named == std::string_view::npos) return fail("no such escape in a string");
    text += kValues[named];
    advance();
    return true;
  }

  bool code_point(int digits, std::string& text) {
    std::uint32_t code = 0;
    for (int i = 0; i < digits; ++i) {
      const std::size_t digit = std::string_view("0123456789abcdef").find(lower(rest_.substr(0, 1)));
      if (rest_.empty() || digit == std::string_view::npos) return fail("a hexadecimal digit is expected");
      code = code << 4 | static_cast<std::uint32_t>(digit);
      advance();
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) || code == 0) return fail("no such character");
    append_utf8(text, code);
    return true;
  }

  bool array(std::string& text) {
    take('[');
    while (true) {
      skip_blank_lines();
      if (take(']')) return true;
      std::string element;
      if (front() != '"' && front() != '\'') return fail("an array holds strings");
      if (!string(element)) return false;
      text += (text.empty() ? "" : " ") + quoted_word(element);
      skip_blank_lines();
      if (!take(',') && front() != ']') return fail("',' or ']' is expected");
    }
  }

  std::string_view rest_;
  const std::function<bool(std::string_view)>& is_known_;
  TomlValues& values_;
  std::string table_;
  bool is_foreign_ = false;
  int line_ = 1;
  std::string problem_;
};

}  // namespace

bool parse_toml(std::string_view text, const std::function<bool(std::string_view name)>& is_known, TomlValues& values,
                std::string& problem) {
  Parser parser(text, is_known, values);
  if (parser.parse()) return true;
  problem = parser.problem();
  return false;
}

}  // namespace ogni::bootstrap
