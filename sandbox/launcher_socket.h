// How the launcher's program is started: what both sides must agree on.
#pragma once

namespace ogni::sandbox {

// The launcher's end of the socketpair with the daemon. Its arguments are, in this order: strength, tag, first uid,
// count of uids, uid and gid of process environments, bytes of /dev/shm, blank environments, demand for a way out, and 1
// if there is a directory for disks, else 0.
inline constexpr int kLauncherSocket = 3;
inline constexpr int kDiskDirectory = 4;
// Open as long as the launcher or its keeper lives, if it was given (Launcher::Options::lock); never used.
inline constexpr int kLauncherLock = 5;

}  // namespace ogni::sandbox
