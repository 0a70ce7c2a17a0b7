// Several unpacked trees as one directory, for environments that cannot overlay mounts.
#pragma once

#include <span>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::catalogue {

// Fills the empty `destination` with `trees` (readable directory descriptors) as overlayfs would show them:
// directories are merged, the last tree's mode counts, and what a later tree has replaces an earlier tree's
// file or tree of that name. Files are hard links, or copies where the file system refuses links. Nothing is
// synced. Errors: kLimit for a full disk; kIo.
[[nodiscard]] Result<void> merge_trees(std::span<const Fd> trees, int destination);

}  // namespace ogni::catalogue
