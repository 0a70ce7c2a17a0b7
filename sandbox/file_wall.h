// A second wall around the file system (Landlock): a function writes below /tmp and to what /dev and /proc offer, and
// nowhere else, even if a mount that should be read-only were not. Nor can it signal, or reach by an abstract socket, what
// is outside of it.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

// For the file system that the caller has now, as its root. Empty where the kernel has no Landlock: the other walls stand.
// Errors: kIo, where the kernel has it and the wall could not be made.
[[nodiscard]] Result<Fd> make_file_wall();

// Puts this process, and all that it starts, behind the wall for good. Only a system call; no_new_privs must be set.
// Returns 0 or errno.
int enter_file_wall(int wall);

}  // namespace ogni::sandbox
