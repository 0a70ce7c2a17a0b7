// What every environment's root has, whichever files it is made of: directories where the environment's own trees go, a
// minimal /dev, the made-up files of /etc.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ogni::sandbox {

enum class SharedMemory { kNone, kPlace };  // whether there is an empty /dev/shm to mount one on

// Fills the empty directory `root`. The devices are empty files still.
[[nodiscard]] Result<void> make_skeleton(int root, SharedMemory shared_memory);
// Mounts the devices over the files that stand for them, in the tree at `root`, which may be sealed by now: without
// devices, but for these. In a mount namespace that sees the host's /dev.
// Those that are devices already stay; /dev/tty stays an empty file, since the host's shows who types there.
[[nodiscard]] Result<void> bind_devices(int root);
inline constexpr std::array<std::string_view, 5> kSharedDevices = {"null", "zero", "full", "random", "urandom"};
// Puts devices of its own in place of the files. False where this process may not: nothing is changed then.
bool make_devices(int root);

[[nodiscard]] Result<void> make_directory_in(int root, const std::string& path);
[[nodiscard]] Result<void> make_link_in(int root, const std::string& path, const std::string& target);

}  // namespace ogni::sandbox
