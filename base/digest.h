// SHA-256 and base64 by OpenSSL.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ogni {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);
std::string to_hex(const Sha256& digest);

// Standard base64 with padding.
std::string to_base64(std::string_view bytes);
// Strict: errors with kInvalidArgument for characters, padding or a length that base64 does not have.
// Line breaks are accepted, because some clients wrap.
[[nodiscard]] Result<std::string> from_base64(std::string_view text);

}  // namespace ogni
