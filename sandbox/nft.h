// The host's nft(8), for the tables of rules that a way out needs.
#pragma once

#include <string>

#include "base/result.h"

namespace ogni::sandbox {

// What nft prints for `script`, whose commands take effect together or not at all. `host_mounts`: the mount namespace that
// has the program. `within`: the pidfd of a process in whose user and network namespaces it works; -1 = the caller's.
// Errors: kNotFound when there is no nft; kUnavailable, with its first words, when it refuses.
[[nodiscard]] Result<std::string> run_nft(int host_mounts, int within, const std::string& script);

}  // namespace ogni::sandbox
