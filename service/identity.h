// Who the daemon is.
//
// Started as root, the daemon becomes an ordinary user after the launcher (which stays root) has been started: the user
// named, else `ogni`, else whoever called sudo, else a fixed high uid. Never root, never `nobody`, whom other services
// share.
#pragma once

#include <sys/types.h>

#include <string>

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

}  // namespace ogni::service
