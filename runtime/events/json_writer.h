// JSON text, appended to a string.
#pragma once

#include <string>
#include <string_view>

#include "ogni/json.hpp"

namespace ogni::events {

// Quotes included. Bytes that are not UTF-8 become U+FFFD.
void append_json(std::string& out, std::string_view text);
void append_json(std::string& out, const json::Value& value);
// Bytes at the start of `text` that stand for themselves in a JSON string: ASCII but quotes, backslashes, controls.
std::size_t plain_prefix(std::string_view text);

}  // namespace ogni::events
