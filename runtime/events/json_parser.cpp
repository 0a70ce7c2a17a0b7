#include "ogni/json.hpp"
#include "runtime/events/json_writer.h"
#include "runtime/utf8.h"

namespace ogni::json {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Value document() {
    skip_space();
    Value value = any(0);
    skip_space();
    if (at_ < text_.size()) fail("nothing may follow the value");
    return value;
  }

 private:
  [[noreturn]] void fail(const char* what) const { throw SyntaxError(what, at_); }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }
  Value word(std::string_view expected, Value value) {
    if (text_.substr(at_, expected.size()) != expected) fail("a value is expected");
    at_ += expected.size();
    return value;
  }

  Value any(std::size_t depth) {
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return string();
      case 't':
        return word("true", true);
      case 'f':
        return word("false", false);
      case 'n':
        return word("null", nullptr);
      default:
        return number();
    }
  }

  void descend(std::size_t depth) {
    if (depth >= kDepthMax) fail("arrays and objects are nested too deep");
    ++at_;
    skip_space();
  }

  Value array(std::size_t depth) {
    descend(depth);
    Array items;
    if (take(']')) return items;
    while (true) {
      skip_space();
      items.push_back(any(depth + 1));
      skip_space();
      if (take(']')) return items;
      if (!take(',')) fail("',' or ']' is expected");
    }
  }

  Value object(std::size_t depth) {
    descend(depth);
    Object members;
    if (take('}')) return members;
    while (true) {
      skip_space();
      if (peek() != '"') fail("a member's name is expected");
      std::string name = string();
      skip_space();
      if (!take(':')) fail("':' is expected");
      skip_space();
      members.append(std::move(name), any(depth + 1));
      skip_space();
      if (take('}')) return members;
      if (!take(',')) fail("',' or '}' is expected");
    }
  }

  bool digits() {
    const std::size_t begin = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > begin;
  }

  Value number() {
    const std::size_t begin = at_;
    take('-');
    if (!take('0') && !digits()) fail("a value is expected");
    if (take('.') && !digits()) fail("a digit is expected");
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) fail("a digit is expected");
    }
    return Number(std::string(text_.substr(begin, at_ - begin)));
  }

  std::string string() {
    std::string out;
    ++at_;
    while (true) {
      const std::size_t plain = events::plain_prefix(text_.substr(at_));
      out.append(text_, at_, plain);
      at_ += plain;
      if (at_ >= text_.size()) fail("the string does not end");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\\') {
        escape(out);
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character must be escaped");
      const std::size_t bytes = runtime::utf8_sequence(text_.substr(at_));
      if (bytes == 0) fail("the string is not UTF-8");
      out.append(text_, at_, bytes);
      at_ += bytes;
    }
  }

  void escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    ++at_;
    if (take('u')) {
      unicode(out);
      return;
    }
    const std::size_t which = at_ < text_.size() ? kNames.find(text_[at_]) : std::string_view::npos;
    if (which == std::string_view::npos) fail("no such escape");
    out += kMeanings[which];
    ++at_;
  }

  void unicode(std::string& out) {
    constexpr std::uint32_t kReplacement = 0xFFFD;
    const std::uint32_t first = four_digits();
    if (first >= 0xD800 && first < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      const std::size_t before = at_;
      at_ += 2;
      const std::uint32_t second = four_digits();
      if (second >= 0xDC00 && second < 0xE000) {
        runtime::append_utf8(out, 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
        return;
      }
      at_ = before;
    }
    runtime::append_utf8(out, first >= 0xD800 && first < 0xE000 ? kReplacement : first);
  }

  std::uint32_t four_digits() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      const char low = static_cast<char>(c | 0x20);
      unsigned digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<unsigned>(c - '0');
      } else if (low >= 'a' && low <= 'f') {
        digit = static_cast<unsigned>(low - 'a') + 10;
      } else {
        fail("four hexadecimal digits are expected");
      }
      code = code * 16 + digit;
      ++at_;
    }
    return code;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

SyntaxError::SyntaxError(const std::string& what, std::size_t offset)
    : std::runtime_error("not JSON: " + what + " (byte " + std::to_string(offset) + ")"), offset_(offset) {}

Value parse(std::string_view text) { return Parser(text).document(); }

}  // namespace ogni::json
