// JSON text, appended to a string.
#pragma once

#include <string>
#include <string_view>

#include "ogni/json.hpp"

namespace ogni::events {

// Quotes included. Bytes that are not UTF-8 become U+FFFD.
void append_json(std::string& out, std::string_view text);
void append_json(std::string& out, const json::Value& value);

}  // namespace ogni::events
