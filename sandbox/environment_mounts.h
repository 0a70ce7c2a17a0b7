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

// Makes `root` this process's whole file system, with /proc in it, and a fresh /dev/shm unless its size is 0. The caller is
// in its copy of the launcher's lean mount namespace.
[[nodiscard]] Result<void> become_environment_root(const Root& root, const Fd& proc, std::uint64_t shared_memory_bytes);

// Adds what the function has: /var/task, /var/runtime, /opt, and a /tmp, in memory and of this size if there is no tree for
// it.
[[nodiscard]] Result<void> furnish_root(const Trees& trees, std::uint64_t tmp_bytes);

}  // namespace ogni::sandbox
