// What the kernel writes into the files of a cgroup.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ogni::sandbox {

// The number after `name` and a blank, at the start of a line of `text`.
std::optional<std::uint64_t> number_after(std::string_view name, std::string_view text);

// Memory without a file behind it and not shared, by the text, or the beginning, of memory.stat of either version.
std::optional<std::uint64_t> anonymous_bytes(std::string_view memory_statistics);

}  // namespace ogni::sandbox
