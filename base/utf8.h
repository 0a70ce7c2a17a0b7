// Text that may hold bytes which are no UTF-8, made fit for documents and messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ogni {

// How many bytes the valid character at the beginning of `bytes` has; 0 where none stands there.
std::size_t utf8_character(std::string_view bytes);
// `bytes` with U+FFFD for each byte that belongs to no valid character: a JSON serializer takes text as it is.
std::string to_utf8(std::string_view bytes);
// The longest beginning of `text` that has at most `bytes_max` bytes and cuts no character in two.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);

}  // namespace ogni
