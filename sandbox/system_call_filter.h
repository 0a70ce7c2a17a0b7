// Which system calls a function may make (seccomp).
//
// Everything that programs use is let through; what reaches parts of the kernel that a function has no business with is
// refused with an error, never with a signal, so that a runtime that tries it goes on without. A call that is younger
// than the filter does not exist (ENOSYS), nor do those of other architectures (32-bit programs on a 64-bit machine).
// docs/security.md lists what is refused.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "base/result.h"

namespace ogni::sandbox {

using SystemCallFilter = std::vector<sock_filter>;

// Takes a few milliseconds: once per launcher. Errors: kIo with the failing step.
[[nodiscard]] Result<SystemCallFilter> compile_system_call_filter();

// Puts this process, and all that it starts, behind the filter for good. Only a system call, so it may be called between
// fork and exec; no_new_privs must be set. Returns 0 or errno.
int enter_system_call_filter(const SystemCallFilter& filter);

}  // namespace ogni::sandbox
