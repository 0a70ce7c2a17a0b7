#include "service/api/payload_error.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace ogni::service {
namespace {

constexpr std::string_view kValues = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::size_t kTokenMax = 256;   // characters of an unknown token that are repeated
constexpr std::size_t kDepthMax = 1000;  // of arrays and objects

// Java's Character.isJavaIdentifierStart() and isJavaIdentifierPart(); beyond Latin-1 every character counts as a
// letter.
bool starts_identifier(std::uint32_t c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '$' || c == '_') return true;
  if (c < 0xa2) return false;
  return c <= 0xa5 || c == 0xaa || c == 0xb5 || c == 0xba || (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}
bool continues_identifier(std::uint32_t c) {
  return starts_identifier(c) || (c >= '0' && c <= '9') || c <= 0x08 || (c >= 0x0e && c <= 0x1b) ||
         (c >= 0x7f && c <= 0x9f) || c == 0xad;
}

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

// Every reader below returns false once something is refused, or at the end of a document without a value.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // What is refused first; "" where nothing is.
  std::string read() {
    if (skip_space(": no content") && value()) {
      while (!open_.empty() && inside()) {
      }
    }
    return std::move(refused_);
  }

 private:
  enum class Need { kFirst, kNext };
  struct Open {
    bool is_object = false;
    Need need = Need::kFirst;
    std::string where;
  };

  static std::string location(std::size_t line, std::size_t column) {
    return "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: " +
           std::to_string(line) + ", column: " + std::to_string(column) + "]";
  }
  std::string here() const { return location(line_, at_ - line_begin_ + 1); }
  std::string before() const { return location(line_, at_ - line_begin_); }
  bool refuse(const std::string& message, const std::string& where) {
    refused_ = message + "\n at " + where;
    return false;
  }

  static std::string describe(std::uint32_t c) {
    if (c < 0x20 || (c >= 0x7f && c <= 0x9f)) return "(CTRL-CHAR, code " + std::to_string(c) + ")";
    std::string text = "'";
    append_utf8(text, c);
    text += "' (code " + std::to_string(c);
    if (c > 255) {
      std::string hex;
      for (std::uint32_t rest = c; rest > 0; rest >>= 4) hex.insert(hex.begin(), kHex[rest & 15]);
      text += " / 0x" + hex;
    }
    return text + ")";
  }
  bool unexpected(std::uint32_t c, std::string_view wanted) {
    return refuse("Unexpected character (" + describe(c) + "): " + std::string(wanted), before());
  }
  // Of the byte that was read last, and what belongs to it.
  bool unexpected(std::string_view wanted) {
    std::uint32_t c = 0;
    return character("", c) && unexpected(c, wanted);
  }
  bool ended(std::string_view what) { return refuse("Unexpected end-of-input" + std::string(what), here()); }

  bool is_at_end() const { return at_ == text_.size(); }
  bool is_next(std::string_view any) const { return !is_at_end() && any.find(text_[at_]) != std::string_view::npos; }
  bool is_digit_next() const { return is_next("0123456789"); }
  // Into byte_.
  bool next_byte(std::string_view what) {
    if (is_at_end()) return ended(what);
    byte_ = static_cast<unsigned char>(text_[at_++]);
    return true;
  }

  bool bad_byte(std::string_view which) {
    std::string hex{kHex[byte_ >> 4], kHex[byte_ & 15]};
    if (hex.front() == '0') hex.erase(0, 1);
    return refuse("Invalid UTF-8 " + std::string(which) + " byte 0x" + hex, here());
  }
  // The character that begins with byte_.
  bool character(std::string_view what, std::uint32_t& c) {
    const unsigned first = byte_;
    c = first;
    if (first < 0x80) return true;
    int more = 0;
    if ((first & 0xe0) == 0xc0) {
      more = 1;
      c = first & 0x1f;
    } else if ((first & 0xf0) == 0xe0) {
      more = 2;
      c = first & 0x0f;
    } else if ((first & 0xf8) == 0xf0) {
      more = 3;
      c = first & 0x07;
    } else {
      return bad_byte("start");
    }
    for (; more > 0; --more) {
      if (!next_byte(what)) return false;
      if ((byte_ & 0xc0) != 0x80) return bad_byte("middle");
      c = (c << 6) | (byte_ & 0x3f);
    }
    return true;
  }

  // Reads the first byte that is no space. Without words for the end, it is that of what is open.
  bool skip_space(std::string_view at_end) {
    while (!is_at_end()) {
      byte_ = static_cast<unsigned char>(text_[at_++]);
      if (byte_ == '\n') {
        ++line_;
        line_begin_ = at_;
      } else if (byte_ != ' ' && byte_ != '\t' && byte_ != '\r') {
        if (byte_ >= 0x20) return true;
        return refuse("Illegal character (" + describe(byte_) +
                          "): only regular white space (\\r, \\n, \\t) is allowed between tokens",
                      here());
      }
    }
    return ended(at_end.empty() ? end_inside() : std::string(at_end));
  }
  std::string kind() const { return open_.back().is_object ? "Object" : "Array"; }
  std::string end_inside() const {
    return ": expected close marker for " + kind() + " (start marker at " + open_.back().where + ")";
  }

  bool unknown_token(std::string token) {
    std::size_t characters = token.size();
    while (!is_at_end()) {
      std::uint32_t c = 0;
      if (!next_byte("") || !character("", c)) return false;
      if (!continues_identifier(c)) break;
      append_utf8(token, c);
      if (++characters >= kTokenMax) {
        token += "...";
        break;
      }
    }
    return refuse("Unrecognized token '" + token + "': was expecting " + std::string(kValues), here());
  }
  bool literal(std::string_view word) {
    for (std::size_t i = 1; i < word.size(); ++i, ++at_) {
      if (!is_next(word.substr(i, 1))) return unknown_token(std::string(word.substr(0, i)));
    }
    if (is_at_end()) return true;
    const auto c = static_cast<unsigned char>(text_[at_]);
    return c >= 0x80 || c < '0' || !continues_identifier(c) || unknown_token(std::string(word));
  }

  bool string(std::string_view what) {
    while (next_byte(what)) {
      if (byte_ == '"') return true;
      if (byte_ < 0x20) {
        return refuse("Illegal unquoted character (" + describe(byte_) +
                          "): has to be escaped using backslash to be included in string value",
                      here());
      }
      std::uint32_t c = 0;
      if (byte_ == '\\' ? !escape(what) : !character(what, c)) return false;
    }
    return false;
  }
  bool escape(std::string_view what) {
    std::uint32_t c = 0;
    if (!next_byte(what) || !character(what, c)) return false;
    if (c != 'u') {
      constexpr std::string_view kEscapes = "\"\\/bfnrt";
      if (c < 0x80 && kEscapes.find(static_cast<char>(c)) != std::string_view::npos) return true;
      return refuse("Unrecognized character escape " + describe(c), here());
    }
    for (int i = 0; i < 4; ++i) {
      const bool is_hex = is_next("0123456789abcdefABCDEF");
      if (!next_byte(what)) return false;
      if (!is_hex) return unexpected(byte_, "expected a hex-digit for character escape sequence");
    }
    return true;
  }

  bool digits(std::string_view wanted) {
    if (!is_digit_next()) {
      if (!next_byte(" in a Number value")) return false;
      return refuse("Unexpected character (" + describe(byte_) + ") in numeric value: " + std::string(wanted),
                    before());
    }
    while (is_digit_next()) ++at_;
    return true;
  }
  // From its first byte, which has been read.
  bool number() {
    if (byte_ != '-') --at_;
    if (is_next("0")) {
      ++at_;
      if (is_digit_next()) return refuse("Invalid numeric value: Leading zeroes not allowed", here());
    } else if (!digits("expected digit (0-9) to follow minus sign, for valid numeric value")) {
      return false;
    }
    if (is_next(".")) {
      ++at_;
      if (!digits("Decimal point not followed by a digit")) return false;
    }
    if (is_next("eE")) {
      ++at_;
      if (is_next("+-")) ++at_;
      if (!digits("Exponent indicator not followed by a digit")) return false;
    }
    if (!open_.empty() || is_at_end() || is_next(" \t\r\n")) return true;
    return next_byte("") && unexpected(byte_, "Expected space separating root-level values");
  }

  bool open() {
    if (open_.size() == kDepthMax) {
      return refuse("Document nesting depth (" + std::to_string(kDepthMax + 1) + ") exceeds the maximum allowed (" +
                        std::to_string(kDepthMax) + ", from `StreamReadConstraints.getMaxNestingDepth()`)",
                    here());
    }
    open_.push_back({.is_object = byte_ == '{', .need = Need::kFirst, .where = before()});
    return true;
  }
  // From its first byte, which has been read.
  bool value() {
    switch (byte_) {
      case '"':
        return string(" in VALUE_STRING");
      case '{':
      case '[':
        return open();
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case 'n':
        return literal("null");
      default:
        break;
    }
    if (byte_ == '-' || (byte_ >= '0' && byte_ <= '9')) return number();
    const bool in_array = !open_.empty() && !open_.back().is_object;
    if (byte_ == ',' || byte_ == '}' || (byte_ == ']' && in_array)) return unexpected(byte_, "expected a value");
    if (!starts_identifier(byte_)) return unexpected(byte_, "expected a valid value " + std::string(kValues));
    std::string token;
    append_utf8(token, byte_);
    return unknown_token(std::move(token));
  }

  // One entry of what is open, or its end.
  bool inside() {
    const bool is_object = open_.back().is_object;
    if (!skip_space("")) return false;
    if (byte_ == ']' || byte_ == '}') return close();
    if (open_.back().need == Need::kNext) {
      if (byte_ != ',') return unexpected("was expecting comma to separate " + kind() + " entries");
      if (!skip_space("")) return false;
    }
    open_.back().need = Need::kNext;
    return is_object ? field() : value();
  }
  bool close() {
    const char wanted = open_.back().is_object ? '}' : ']';
    if (byte_ != static_cast<unsigned char>(wanted)) {
      return refuse(std::string("Unexpected close marker '") + static_cast<char>(byte_) + "': expected '" + wanted +
                        "' (for " + kind() + " starting at " + open_.back().where + ")",
                    here());
    }
    open_.pop_back();
    return true;
  }
  bool field() {
    constexpr std::string_view kAtEnd = " within/between Object entries";
    if (byte_ != '"') return unexpected("was expecting double-quote to start field name");
    if (!string(" in field name") || !skip_space(kAtEnd)) return false;
    if (byte_ != ':') return unexpected("was expecting a colon to separate field name and value");
    return skip_space(kAtEnd) && value();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  unsigned byte_ = 0;  // read last
  std::size_t line_ = 1;
  std::size_t line_begin_ = 0;
  std::vector<Open> open_;
  std::string refused_;
};

}  // namespace

std::string payload_error(std::string_view payload) { return Reader(payload).read(); }

}  // namespace ogni::service
