// Who the daemon is, and where its data lies.
//
// Started as root, the daemon becomes an ordinary user after the launcher (which stays root) has been started: the user
// named, else `ogni`, else whoever called sudo, else a fixed high uid. Never root, never `nobody`, whom other services
// share.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::service {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  bool must_change = false;  // we are root now
};

// Outside every range that adduser, systemd and subuid hand out.
inline constexpr uid_t kFallbackUid = 0x4F46'0000;

// Errors: kInvalidArgument for a user that does not exist, that is root, or that we cannot become.
[[nodiscard]] Result<Identity> choose_identity(const std::string& user);

// Gives up root for good: groups, gid, uid, capabilities. Verifies it. Errors: kIo.
[[nodiscard]] Result<void> become(const Identity& identity);

// /var/lib/ogni as root, $XDG_DATA_HOME/ogni or ~/.local/share/ogni otherwise. Errors: kInvalidArgument without HOME.
[[nodiscard]] Result<std::string> default_data_directory(bool root);

// The data directory, made if need be, the identity's own, closed to others, and locked against a second daemon. The
// lock lasts as long as the descriptor. Errors: kConflict when another daemon has it; kIo.
[[nodiscard]] Result<Fd> open_data_directory(const std::string& path, const Identity& identity);

// For who works on the data beside a service that may run, which has the lock.
struct SharedData {
  Fd directory;
  Identity owner;  // whom to become before touching it
};
// The data directory and whose it is; made, and given to whom a service with this --user would run as, if need be. Errors:
// kInvalidArgument for a directory of root's that is not empty; kIo.
[[nodiscard]] Result<SharedData> share_data_directory(const std::string& path, const std::string& user);

// A directory below `parent`, made if need be and given to the identity.
[[nodiscard]] Result<Fd> open_subdirectory(int parent, const std::string& name, const Identity& identity);

}  // namespace ogni::service
