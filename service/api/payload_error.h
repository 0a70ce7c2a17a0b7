// What AWS says of a payload that is no JSON: the words of its parser (Jackson), which clients of Lambda show.
#pragma once

#include <string>
#include <string_view>

namespace ogni::service {

// Reads the payload as that parser does, up to the first thing that it refuses; "" where it would refuse nothing.
// Takes time and memory for a payload that was refused already, within the bounds of a payload.
std::string payload_error(std::string_view payload);

}  // namespace ogni::service
