// The data directory: whose it is, who uses it, and what it remembers of isolation.
//
// Whoever can write to it can change what functions run, so every directory in it belongs to the service's user (or to
// root) and is closed to others before anything in it is opened.
#pragma once

#include <chrono>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "service/identity.h"

namespace ogni::service {

// /var/lib/ogni as root, $XDG_DATA_HOME/ogni or ~/.local/share/ogni otherwise. Errors: kInvalidArgument without HOME.
[[nodiscard]] Result<std::string> default_data_directory(bool root);

// The data directory, made if need be, the identity's own, closed to others, and locked against a second daemon. The
// lock lasts as long as the descriptor; a daemon that is just ending is waited for. Errors: kConflict when another daemon
// has it; kInvalidArgument when it, or something in it, is another user's; kIo.
[[nodiscard]] Result<Fd> open_data_directory(const std::string& path, const Identity& identity);

// A second lock, for the launcher to keep (sandbox::Launcher::Options::lock): what a daemon that was killed has left behind
// is still ending, and removing what it made, while its launcher lives. Waits for that. Errors: kConflict after `patience`.
[[nodiscard]] Result<Fd> lock_for_launcher(int data, const Identity& identity, std::chrono::milliseconds patience);

// Whether functions of this data directory have run in namespaces: then they never run with less by themselves.
[[nodiscard]] Result<bool> had_walls(int data);
// Durable when it returns.
[[nodiscard]] Result<void> remember_walls(int data, const Identity& identity);

// For who works on the data beside a service that may run, which has the lock.
struct SharedData {
  Fd directory;
  Identity owner;  // whom to become before touching it
};
// The data directory and whose it is; made, and given to whom a service with this --user would run as, if need be. Errors:
// kInvalidArgument for a directory of root's that is not empty, or of another user's; kIo.
[[nodiscard]] Result<SharedData> share_data_directory(const std::string& path, const std::string& user);

// A directory below `parent`, made if need be and given to the identity. Errors: kInvalidArgument when it is another
// user's; kIo.
[[nodiscard]] Result<Fd> open_subdirectory(int parent, const std::string& name, const Identity& identity);

}  // namespace ogni::service
