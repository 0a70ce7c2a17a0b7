// JSON strings, for std::string and for Buffer: whatever has append(std::string_view).
#pragma once

#include <cstddef>
#include <string_view>

#include "runtime/buffer.h"
#include "runtime/utf8.h"

namespace ogni::runtime {

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
