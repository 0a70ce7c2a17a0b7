// Fills an /etc by the lists of etc_files.h.
#pragma once

#include "base/result.h"

namespace ogni::sandbox {

// Both take the open directory.
// What is the same whatever the host has. The directory has none of it yet. Errors: kIo.
[[nodiscard]] Result<void> write_made_up_etc(int etc);
// The host's part. Copies rather than binds: an environment has no mount for each entry, and a file that the host replaces
// does not change under a running function. What is there already stays.
// Errors: kIo when the target cannot be written. What cannot be read on the host is left out.
[[nodiscard]] Result<void> copy_host_etc(int etc);

}  // namespace ogni::sandbox
