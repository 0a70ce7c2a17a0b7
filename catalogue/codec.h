// What lies between the records and the columns: JSON texts, names of states, page markers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalogue/model.h"

namespace ogni::catalogue {

// Errors: kInvalidArgument for text that is not UTF-8, which JSON cannot carry.
[[nodiscard]] Result<std::string> to_json(const std::map<std::string, std::string>& values);
[[nodiscard]] Result<std::string> to_json(const std::vector<std::string>& values);
// Errors: kInternal: the column was not written by us.
[[nodiscard]] Result<std::map<std::string, std::string>> map_from_json(std::string_view json);
[[nodiscard]] Result<std::vector<std::string>> list_from_json(std::string_view json);

std::string_view to_text(State state);
std::string_view to_text(UpdateStatus status);
// Errors: kInternal: the column was not written by us.
[[nodiscard]] Result<State> state_from_text(std::string_view text);
[[nodiscard]] Result<UpdateStatus> update_status_from_text(std::string_view text);

WallTime time_from_ms(long long epoch_ms);

// A page marker is opaque to clients: the list it belongs to and the last key given out, in hexadecimal.
std::string make_marker(std::string_view list, std::string_view last_key);
// The key in `marker`. Errors: kInvalidArgument for anything that make_marker(list, …) did not make.
[[nodiscard]] Result<std::string> read_marker(std::string_view list, std::string_view marker);

}  // namespace ogni::catalogue
