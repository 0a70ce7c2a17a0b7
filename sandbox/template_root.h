// The root directory that every environment gets a read-only copy of.
//
// It is made once, when the launcher starts: a small tmpfs with the host's /usr bound into it, files of its
// /etc, and what every root has (skeleton.h). An environment's copy of it is one
// open_tree(2); the fewer mounts it has, the cheaper each cold start.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/skeleton.h"

namespace ogni::sandbox {

// Makes the template the root of this mount namespace, which must be private to the caller and see the host's files.
// The host's /proc is covered while it is made.
[[nodiscard]] Result<void> become_template_root(SharedMemory shared_memory);

// A detached copy of it: the caller's mount namespace is the one of become_template_root().
[[nodiscard]] Result<Fd> clone_template_root();

}  // namespace ogni::sandbox
