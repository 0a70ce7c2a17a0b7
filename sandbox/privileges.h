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

// No program can have a capability any more; this process still does what it can.
[[nodiscard]] Result<void> bound_privileges();

// What an init may keep to itself.
enum class Kept {
  kNothing,
  kSight,  // CAP_SYS_PTRACE in its own user namespace: processes that hide what they use are seen all the same
};

// No capability in any set, but what is kept. Only a system call, so it may be called between fork and exec. Returns 0 or
// errno.
int give_up_capabilities(Kept kept = Kept::kNothing);

// As above, and no ptrace(2) or core of this process. After bound_privileges().
[[nodiscard]] Result<void> drop_privileges(Kept kept);

}  // namespace ogni::sandbox
