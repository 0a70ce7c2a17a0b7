// JSON strings, for std::string and for Buffer: whatever has append(std::string_view).
#pragma once

#include <cstddef>
#include <string_view>

#include "runtime/buffer.h"

namespace ogni::runtime {

// Bytes of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none.
// Source: The Unicode Standard, table 3-7.
inline std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto in = [](unsigned b, unsigned low, unsigned high) { return b >= low && b <= high; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (in(first, 0xC2, 0xDF)) return in(byte(1), 0x80, 0xBF) ? 2 : 0;
  if (in(first, 0xE0, 0xEF)) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return in(byte(1), low, high) && in(byte(2), 0x80, 0xBF) ? 3 : 0;
  }
  if (in(first, 0xF0, 0xF4)) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return in(byte(1), low, high) && in(byte(2), 0x80, 0xBF) && in(byte(3), 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

template <typename Out>
void append_escaped_byte(Out& out, char c) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  const char code[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
  switch (c) {
    case '"':
      out.append(std::string_view("\\\""));
      return;
    case '\\':
      out.append(std::string_view("\\\\"));
      return;
    case '\n':
      out.append(std::string_view("\\n"));
      return;
    case '\r':
      out.append(std::string_view("\\r"));
      return;
    case '\t':
      out.append(std::string_view("\\t"));
      return;
    default:
      out.append(std::string_view(code, sizeof code));
  }
}

// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
template <typename Out>
void append_escaped_json(Out& out, std::string_view text) {
  const auto is_plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; };
  out.append(std::string_view("\""));
  std::size_t plain = 0;  // bytes at the front of `text` that stay as they are
  while (plain < text.size()) {
    const std::size_t bytes = utf8_sequence(slice(text, plain));
    if (bytes > 1 || (bytes == 1 && is_plain(text[plain]))) {
      plain += bytes;
      continue;
    }
    out.append(slice(text, 0, plain));
    if (bytes == 0) {
      out.append(std::string_view("\xEF\xBF\xBD"));
    } else {
      append_escaped_byte(out, text[plain]);
    }
    text.remove_prefix(plain + 1);
    plain = 0;
  }
  out.append(text);
  out.append(std::string_view("\""));
}

}  // namespace ogni::runtime
