// Encodings that events need: base64, UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ogni::bootstrap {

bool is_utf8(std::string_view text);
// `code_point` is below 0x110000 and no surrogate.
void append_utf8(std::string& out, std::uint32_t code_point);

// RFC 4648, with padding.
void append_base64(std::string& out, std::string_view bytes);
// Standard or URL-safe alphabet, padding optional. False: something else is in it.
bool decode_base64(std::string_view text, std::string& bytes);

// ASCII only.
std::string lower(std::string_view text);

}  // namespace ogni::bootstrap
