// Fills the template's /etc by the lists of etc_files.h.
#pragma once

#include "base/result.h"

namespace ogni::sandbox {

// `etc` is the open, empty directory. Copies rather than binds: an environment has no mount for each entry, and a file
// that the host replaces does not change under a running function.
// Errors: kIo when the target cannot be written. What cannot be read on the host is left out.
[[nodiscard]] Result<void> fill_etc(int etc);

}  // namespace ogni::sandbox
