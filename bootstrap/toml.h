// The part of TOML that ogni.toml beside a function needs: tables, bare keys, strings of one line, integers, booleans and
// arrays of strings. What else TOML has (dates, floats, inline tables, dotted keys, long strings) is refused with the line.
// The library that the rest of the project reads TOML with would make up a fifth of this program.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace ogni::bootstrap {

// "key" or "table.key" to the value's text; an array is a command line that split_command() gives back.
using TomlValues = std::map<std::string, std::string, std::less<>>;

// False: `problem` says what is wrong in which line. Whether a name is known is asked of `is_known`; tables of which
// nothing is known (`is_known` of "table." is false) are left to other readers of the file.
bool parse_toml(std::string_view text, const std::function<bool(std::string_view name)>& is_known, TomlValues& values,
                std::string& problem);

}  // namespace ogni::bootstrap
