// UTF-8 as the reader and the writers of events need it.
#pragma once

#include <string>
#include <string_view>

#include "runtime/utf8.h"

namespace ogni::events {

using runtime::utf8_sequence;
// Bytes at the start of `text` that stand for themselves in a JSON string: ASCII but quotes, backslashes, controls.
std::size_t plain_prefix(std::string_view text);
bool is_utf8(std::string_view text);
// `code` is at most 0x10FFFF and no surrogate.
void append_utf8(std::string& out, unsigned long code);

}  // namespace ogni::events
