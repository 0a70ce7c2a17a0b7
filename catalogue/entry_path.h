// Which names and link targets of a zip are safe to unpack. Pure: no file is touched.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ogni::catalogue {

// Directories below each other; keeps the removal of a tree within a bounded number of descriptors.
inline constexpr std::size_t kPathDepthMax = 128;
// Less than PATH_MAX by what is put before it ("/var/task/").
inline constexpr std::size_t kPathBytesMax = 4000;
inline constexpr std::size_t kNameBytesMax = 255;  // NAME_MAX

// The components of an entry's name; none for the root itself ("./"). "." and doubled or final slashes are
// dropped. A backslash is a character like any other. Errors: kInvalidArgument for what is empty, absolute,
// has "..", a NUL or is too long.
[[nodiscard]] Result<std::vector<std::string>> parse_entry_path(std::string_view name);

// Whether a symbolic link at `directory_depth` directories below the root may have this target. A relative
// one must stay below the root whatever links it passes: ".." only at its beginning and no more of them than
// directories above the link. An absolute one must lie below /var/task or /opt, where trees are mounted.
// Errors: kInvalidArgument.
[[nodiscard]] Result<void> check_link_target(std::size_t directory_depth, std::string_view target);

}  // namespace ogni::catalogue
