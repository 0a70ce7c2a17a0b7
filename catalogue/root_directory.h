// Copies a directory of this host into a RootBuilder.
#pragma once

#include "base/result.h"
#include "catalogue/root_builder.h"

namespace ogni::catalogue {

// What this user may not read is left out, and so is what lies on other file systems (/proc and its like, of a root that is
// in use): of these the empty directory remains. Errors: those of RootBuilder, with the entry.
[[nodiscard]] Result<void> copy_directory(int source, RootBuilder& builder);

}  // namespace ogni::catalogue
