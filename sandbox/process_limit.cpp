#include "sandbox/process_limit.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <vector>

#include "base/system.h"
#include "sandbox/cgroup_tree.h"

namespace ogni::sandbox {

namespace {

constexpr std::uint64_t kLeast = 16;  // no language starts with fewer

// A file that holds no number ("max"), or is not there, bounds nothing.
std::uint64_t number_in(const std::string& file) {
  std::uint64_t number = UINT64_MAX;
  if (const auto text = read_file(file, 64)) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

// Of a group and those above it.
std::uint64_t least_in_groups(std::string path) {
  std::uint64_t least = UINT64_MAX;
  for (; path.size() > 1; path.resize(path.rfind('/'))) least = std::min(least, number_in(path + "/pids.max"));
  return least;
}

}  // namespace

int process_limit() {
  std::uint64_t all = std::min(number_in("/proc/sys/kernel/pid_max"), number_in("/proc/sys/kernel/threads-max"));
  for (const auto& groups : {find_version_one("pids"), find_version_two()}) {
    for (const std::string& group : groups.value_or(std::vector<std::string>())) {
      all = std::min(all, least_in_groups(group));
    }
  }
  return static_cast<int>(std::clamp<std::uint64_t>(all / 2, kLeast, kProcessesMax));
}

}  // namespace ogni::sandbox
