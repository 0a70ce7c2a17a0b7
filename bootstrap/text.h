// Text as events and HTTP have it: base64, UTF-8, values of fields.
#pragma once

#include <string>
#include <string_view>

#include "runtime/base64.h"
#include "runtime/utf8.h"

namespace ogni::bootstrap {

using runtime::append_base64;
using runtime::append_utf8;
using runtime::is_utf8;

// Standard or URL-safe alphabet, padding optional. False: something else is in it.
bool decode_base64(std::string_view text, std::string& bytes);

// ASCII only.
std::string lower(std::string_view text);

// With "%41" as "A". What would be a NUL, which ends texts of many programs, stays as it is.
std::string percent_decoded(std::string_view text);

// Without blanks around it, nor the CR of a line's end.
std::string_view trimmed(std::string_view text);

}  // namespace ogni::bootstrap
