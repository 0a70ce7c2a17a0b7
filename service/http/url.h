// Percent-encoding and query strings. Source: RFC 3986.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ogni::http {

// Nothing for a '%' without two hex digits, and for a zero byte, which no name of ours can hold.
std::optional<std::string> percent_decode(std::string_view text);
// Everything but unreserved characters (letters, digits, "-._~") as %XX.
std::string percent_encode(std::string_view text);

// The decoded value of the first `key` in "a=1&b=2" ('+' means a space); "" for a key without '='. Nothing
// when the key is absent or its value is badly encoded.
std::optional<std::string> query_value(std::string_view query, std::string_view key);

}  // namespace ogni::http
