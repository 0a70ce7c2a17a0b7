// Whether an error says what this host lastingly is, or what may be over in a moment.
//
// Isolation is given up only for what lasts: a system call that this host forbids or does not have, a setting, a part
// of the kernel that is missing. No process, no memory, no descriptor, no room, a file that is gone, a peer that died:
// each of these may be otherwise a moment later, so it is tried again and then is an error.
#pragma once

#include "base/result.h"
#include "sandbox/environment.h"

namespace ogni::sandbox {

// True for kNotFound ("this host does not have it") and for the kernel's refusals that do not pass.
[[nodiscard]] bool is_lasting(const Error& error);

// What an init said of itself, as the error that it was: kNotFound if it lasts, else kUnavailable.
[[nodiscard]] Error error_of(const Failed& failed);

}  // namespace ogni::sandbox
