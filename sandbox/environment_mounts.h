// The mounts of one environment, made by its init while it still has capabilities in its own namespaces.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/mount_namespaces.h"

namespace ogni::sandbox {

// The environment's /proc, attached in place of the lean root's until the pivot; shows the processes of the caller's pid
// namespace, little of the machine, and lets nothing be set. Also forbids the environment further user namespaces, where
// the kernel lets it.
[[nodiscard]] Result<Fd> make_proc();

// Makes the trees this process's whole file system: the root, /var/task, /var/runtime, /opt, a fresh /tmp
// (and /dev/shm) of these sizes, and /proc. The caller is in its copy of the launcher's lean mount namespace.
[[nodiscard]] Result<void> become_environment_root(const Trees& trees, const Fd& proc, const Sizes& sizes);

}  // namespace ogni::sandbox
