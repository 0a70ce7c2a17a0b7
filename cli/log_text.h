// Lines of a function's log for people: entries in JSON are taken apart, and an entry of several lines has its lines back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ogni::cli {

// One line of the log as lines to show, not yet harmless for a terminal. An entry in JSON with a level and a message becomes
// "LEVEL MESSAGE name=value …" with its stack trace below, an event of the platform "platform.report name=value …". A
// carriage return ends a line: runtimes without a descriptor for the log write it in an entry instead of a line feed.
[[nodiscard]] std::vector<std::string> lines_to_show(std::string_view line);

}  // namespace ogni::cli
