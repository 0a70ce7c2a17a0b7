// The event of an invocation as a user names it.
#pragma once

#include <string>

#include "cli/exit_code.h"

namespace ogni::cli {

// `words` are the payload itself, "@FILE", or "-" for standard input. Bounded by AWS's 6 MB; empty stays empty.
[[nodiscard]] Outcome<std::string> read_payload(const std::string& words);

}  // namespace ogni::cli
