// What an init gives up before anything of the function runs.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace ogni::sandbox {

// Leaves the session keyring that was inherited: keys of whoever started the service belong to all who possess it. Where
// the kernel has no keys, or no room for another keyring, nothing changes.
void leave_session_keyring();

// Takes the ids for good. Supplementary groups are the launcher's to shed. Capabilities in the caller's own
// user namespace stay.
[[nodiscard]] Result<void> become_user(uid_t uid, gid_t gid);

// No capability in any set, none to be had by any program, no ptrace(2) or core of this process.
[[nodiscard]] Result<void> drop_privileges();

}  // namespace ogni::sandbox
