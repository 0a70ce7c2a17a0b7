// What every environment's root has, whichever files it is made of: directories where the environment's own trees go, a
// minimal /dev, the made-up files of /etc.
#pragma once

#include <string>

#include "base/result.h"

namespace ogni::sandbox {

enum class SharedMemory { kNone, kPlace };  // whether there is an empty /dev/shm to mount one on

// Fills the empty directory `root`. The devices are empty files still.
[[nodiscard]] Result<void> make_skeleton(int root, SharedMemory shared_memory);
// Mounts the devices over the files that stand for them, in the tree at `root`, which may be sealed by now: without
// devices, but for these. In a mount namespace that sees the host's /dev.
[[nodiscard]] Result<void> bind_devices(int root);

[[nodiscard]] Result<void> make_directory_in(int root, const std::string& path);
[[nodiscard]] Result<void> make_link_in(int root, const std::string& path, const std::string& target);

}  // namespace ogni::sandbox
