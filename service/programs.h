// Our own other programs: found beside this one, or in ../libexec/ogni of an installation.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::service {

// An O_PATH descriptor of the program: its path may be out of reach once root is given up. Errors: kNotFound naming the
// places that were looked at.
[[nodiscard]] Result<Fd> open_program(const std::string& name);

// Puts the `bootstrap` of managed runtimes into `directory`, where environments see it as /var/runtime. One that is there and
// is the same stays.
[[nodiscard]] Result<void> install_bootstrap(int directory);

}  // namespace ogni::service
