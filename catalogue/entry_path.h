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
inline constexpr std::size_t kNameBytesMax = 255;         // NAME_MAX
inline constexpr std::size_t kLinkTargetBytesMax = 4095;  // PATH_MAX less its NUL

// The components of an entry's name; none for the root itself ("./"). "." and doubled or final slashes are
// dropped. A backslash is a character like any other. Errors: kInvalidArgument for what is empty, absolute,
// has "..", a NUL or is too long.
[[nodiscard]] Result<std::vector<std::string>> parse_entry_path(std::string_view name);

// Whether a symbolic link may have this target. It may lead anywhere or nowhere, as on AWS: a function that follows the
// link meets its own file system, and nothing of the service follows a link of a package.
// Errors: kInvalidArgument for a target that the kernel does not take.
[[nodiscard]] Result<void> check_link_target(std::string_view target);

}  // namespace ogni::catalogue
