#include "sandbox/cgroup_file.h"

#include <algorithm>
#include <charconv>

namespace ogni::sandbox {

std::optional<std::uint64_t> number_after(std::string_view name, std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ' ') {
      std::uint64_t value = 0;
      const std::string_view digits = line.substr(name.size() + 1);
      if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc()) return value;
    }
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> anonymous_bytes(std::string_view memory_statistics) {
  // Version 2 says "anon"; version 1 "rss", which excludes shared memory too.
  const auto anonymous = number_after("anon", memory_statistics);
  return anonymous ? anonymous : number_after("rss", memory_statistics);
}

}  // namespace ogni::sandbox
