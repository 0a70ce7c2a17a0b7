// Base64 of bodies and records. Source: RFC 4648, section 4.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ogni::events {

std::string base64_encode(std::string_view bytes);
// Padding may be missing; anything else that is not base64 gives nothing.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace ogni::events
