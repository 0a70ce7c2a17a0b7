// Extensions that a function's layers bring (/opt/extensions): they are not started yet, and the function's log says so.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace ogni::service {

// The names of the executable files in the extensions/ of each layer, given by its directory; sorted, and cut at some number
// that AWS would refuse.
[[nodiscard]] std::vector<std::string> extensions_of(std::span<const int> layers);

// What the log says about them; empty: there are none.
[[nodiscard]] std::string extensions_notice(const std::vector<std::string>& names);

}  // namespace ogni::service
