// Base64 with padding, RFC 4648. What appends takes a std::string, a Buffer, or whatever has append(std::string_view).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ogni::runtime {

inline constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

template <typename Out>
void append_base64(Out& out, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) -> std::uint32_t {
      return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0;
    };
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    const char digits[4] = {kBase64Digits[group >> 18], kBase64Digits[group >> 12 & 63],
                            i + 1 < bytes.size() ? kBase64Digits[group >> 6 & 63] : '=',
                            i + 2 < bytes.size() ? kBase64Digits[group & 63] : '='};
    out.append(std::string_view(digits, sizeof digits));
  }
}

}  // namespace ogni::runtime
