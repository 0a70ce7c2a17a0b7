// The little JSON that reporting an error takes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ogni::runtime {

// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// {"errorMessage":…,"errorType":…,"stackTrace":[…]}, as every AWS runtime reports it.
std::string error_json(std::string_view type, std::string_view message, const std::vector<std::string>& stack_trace);

}  // namespace ogni::runtime
