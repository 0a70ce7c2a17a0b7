// The daemon as one call, for `ogni serve`.
#pragma once

#include "service/settings.h"

namespace ogni::service {

// Serves until SIGTERM or SIGINT, drains, and returns the exit status of the process: 0 after an orderly end.
// What keeps it from serving is said on stderr. Blocks; call it once, from main(), before the process has
// other threads.
int run_daemon(const Settings& settings);

}  // namespace ogni::service
