// The kernel's younger system calls, wrapped as base/system.h wraps the older: a Result whose error names the step.
#pragma once

#include <sys/mount.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

enum class Depth { kTopOnly, kRecursive };

// A detached copy of the mount at (directory, path); with an empty path, of what the descriptor stands for.
[[nodiscard]] Result<Fd> clone_tree(int directory, const std::string& path, Depth depth);
// Sets MOUNT_ATTR_* of a tree and takes it out of every propagation group.
[[nodiscard]] Result<void> seal_tree(int tree, std::uint64_t attributes, Depth depth);
// Attaches a detached tree. A symlink at the end of `path` is not followed: the tree covers the link itself.
[[nodiscard]] Result<void> attach_tree(int tree, int directory, const std::string& path);

struct FileSystemOption {
  const char* name;
  std::string value;  // empty: the option has none
};
// A new file system, detached.
[[nodiscard]] Result<Fd> make_file_system(const char* type, std::span<const FileSystemOption> options,
                                          std::uint64_t attributes);

// Makes the mount at the working directory the root of this mount namespace and lets go of the previous root.
[[nodiscard]] Result<void> pivot_to_working_directory();

struct Child {
  pid_t pid = -1;  // 0 in the child
  Fd process;      // its pidfd
};
// fork(2) into new namespaces (`flags`: CLONE_NEW…; CLONE_PARENT makes it a child of the caller's parent) and, with `cgroup`
// >= 0, into that cgroup v2. For a single-threaded caller: the child may do whatever its parent may.
[[nodiscard]] Result<Child> fork_into(std::uint64_t flags, int cgroup);

// Moves the descriptors to 3, 4, … in this order and closes every other above standard error: for a child that shall hold
// nothing of its parent's. They are close-on-exec.
[[nodiscard]] Result<void> keep_only(std::span<const int> descriptors);

[[nodiscard]] Result<Fd> open_pidfd(pid_t pid);
// True when `fd` became readable (or its peer closed) before the time was over.
bool wait_readable(int fd, std::chrono::milliseconds time);

}  // namespace ogni::sandbox
