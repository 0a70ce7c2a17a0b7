#include "sandbox/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <memory>
#include <sstream>
#include <vector>

#include "base/system.h"

namespace ogni::sandbox {

namespace {

constexpr int kSweepTries = 200;
constexpr int kSweepPauseMs = 10;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::vector<std::string> directories_in(int directory) {
  std::vector<std::string> names;
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return names;
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(copy));
  if (!stream) {
    ::close(copy);
    return names;
  }
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.push_back(name);
  }
  return names;
}

bool has_word(std::string_view text, std::string_view word) {
  std::istringstream words{std::string(text)};
  for (std::string next; words >> next;) {
    if (next == word) return true;
  }
  return false;
}

bool has_item(const std::string& list, std::string_view item) {
  std::istringstream items(list);
  for (std::string next; std::getline(items, next, ',');) {
    if (next == item) return true;
  }
  return false;
}

struct Mounted {
  CgroupVersion version;
  std::string root;   // which directory of the hierarchy
  std::string place;  // is seen where
};

std::vector<Mounted> mounted_hierarchies() {
  std::vector<Mounted> found;
  const auto text = read_file("/proc/self/mountinfo", 4 << 20);
  if (!text) return found;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash)), after(line.substr(dash + 3));
    std::string skip, root, place, type, source, options;
    before >> skip >> skip >> skip >> root >> place;
    after >> type >> source >> options;
    if (type == "cgroup2") found.push_back({CgroupVersion::kTwo, root, place});
    if (type == "cgroup" && has_item(options, "memory")) found.push_back({CgroupVersion::kOne, root, place});
  }
  return found;
}

// This process's own directory in a hierarchy, as /proc/self/cgroup has it: "4:memory:/a/b", "0::/a/b".
std::optional<std::string> own_path(CgroupVersion version) {
  const auto text = read_file("/proc/self/cgroup");
  if (!text) return std::nullopt;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool wanted = version == CgroupVersion::kTwo ? controllers.empty() : has_item(controllers, "memory");
    if (wanted) return line.substr(second + 1);
  }
  return std::nullopt;
}

// The directory of `path` where the hierarchy is mounted, if it is below what is mounted.
std::optional<std::string> visible_path(const Mounted& mounted, std::string path) {
  if (mounted.root != "/") {
    if (path != mounted.root && !path.starts_with(mounted.root + "/")) return std::nullopt;
    path.erase(0, mounted.root.size());
  }
  while (path.ends_with('/')) path.pop_back();
  return mounted.place + path;
}

bool distributes_memory(const std::string& path) {
  const auto controllers = read_file(path + "/cgroup.subtree_control", 4096);
  return controllers && has_word(*controllers, "memory");
}

void kill_all_in(int directory) {
  const auto text = read_file_at(directory, "cgroup.procs");
  if (!text) return;
  std::istringstream numbers(*text);
  for (pid_t pid = 0; numbers >> pid;) {
    if (pid > 1) ::kill(pid, SIGKILL);
  }
}

// Removes what a killed predecessor left in `directory`, within a bounded time.
void sweep(int directory) {
  for (int tries = 0; tries < kSweepTries; ++tries) {
    bool busy = false;
    for (const std::string& name : directories_in(directory)) {
      if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) == 0) continue;
      busy = true;
      if (const auto leaf = open_at(directory, name, O_RDONLY | O_DIRECTORY)) kill_all_in(leaf->get());
    }
    if (!busy) return;
    ::poll(nullptr, 0, kSweepPauseMs);
  }
}

}  // namespace

std::vector<MemoryHierarchy> find_memory_hierarchies() {
  std::vector<MemoryHierarchy> found;
  for (const Mounted& mounted : mounted_hierarchies()) {
    const auto own = own_path(mounted.version);
    if (!own) continue;
    auto path = visible_path(mounted, *own);
    if (!path) continue;
    if (mounted.version == CgroupVersion::kOne) {
      found.push_back({CgroupVersion::kOne, *path});
      continue;
    }
    // A cgroup that has processes of its own cannot give its children controllers; one above may do so already.
    if (!distributes_memory(*path)) {
      [[maybe_unused]] const auto tried = write_control_file(AT_FDCWD, *path + "/cgroup.subtree_control", "+memory");
    }
    while (path->size() >= mounted.place.size()) {
      if (distributes_memory(*path)) found.push_back({CgroupVersion::kTwo, *path});
      if (path->size() == mounted.place.size()) break;
      path->resize(path->rfind('/'));
    }
  }
  return found;
}

Result<MemoryCgroups> MemoryCgroups::open(std::string_view tag) {
  const std::string name = "ogni-" + std::string(tag);
  std::string reason = "no cgroup hierarchy controls memory here";
  for (const MemoryHierarchy& hierarchy : find_memory_hierarchies()) {
    auto parent = open_file(hierarchy.path, O_RDONLY | O_DIRECTORY);
    if (!parent) {
      reason = parent.error().message();
      continue;
    }
    if (::mkdirat(parent->get(), name.c_str(), 0755) != 0 && errno != EEXIST) {
      reason = Error::from_errno("mkdir in " + hierarchy.path).message();
      continue;
    }
    auto directory = open_at(parent->get(), name, O_RDONLY | O_DIRECTORY);
    if (!directory) return failure(std::move(directory).error());
    sweep(directory->get());
    MemoryCgroups cgroups(hierarchy.version, std::move(*parent), name, std::move(*directory));
    if (hierarchy.version == CgroupVersion::kTwo) {
      auto distributed = write_control_file(cgroups.directory_.get(), "cgroup.subtree_control", "+memory");
      if (!distributed) {
        reason = distributed.error().message();
        continue;
      }
    }
    return cgroups;
  }
  return failure(ErrorCode::kNotFound, reason);
}

MemoryCgroups::~MemoryCgroups() {
  if (!directory_) return;
  sweep(directory_.get());
  ::unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR);
}

Result<MemoryCgroup> MemoryCgroups::create(const std::string& name, std::uint64_t memory_bytes) {
  if (::mkdirat(directory_.get(), name.c_str(), 0755) != 0) return failure(Error::from_errno("mkdir cgroup"));
  auto cgroup = configure(name, memory_bytes);
  if (!cgroup) remove(name);
  return cgroup;
}

Result<MemoryCgroup> MemoryCgroups::configure(const std::string& name, std::uint64_t memory_bytes) {
  MemoryCgroup cgroup;
  auto directory = open_at(directory_.get(), name, O_RDONLY | O_DIRECTORY);
  if (!directory) return failure(std::move(directory).error());
  cgroup.directory = std::move(*directory);
  const bool second = version_ == CgroupVersion::kTwo;
  if (memory_bytes != 0) {
    const char* limit = second ? "memory.max" : "memory.limit_in_bytes";
    auto limited = write_control_file(cgroup.directory.get(), limit, std::to_string(memory_bytes));
    if (!limited) return failure(std::move(limited).error());
    // AWS's environments have no swap. A kernel without swap accounting has no such file.
    if (second) {
      [[maybe_unused]] const auto tried = write_control_file(cgroup.directory.get(), "memory.swap.max", "0");
    }
  }
  auto statistics = open_at(cgroup.directory.get(), "memory.stat", O_RDONLY);
  if (!statistics) return failure(std::move(statistics).error());
  cgroup.statistics = std::move(*statistics);
  if (!second) {
    auto tasks = open_at(cgroup.directory.get(), "tasks", O_WRONLY);
    if (!tasks) return failure(std::move(tasks).error());
    cgroup.tasks = std::move(*tasks);
  }
  return cgroup;
}

bool MemoryCgroups::remove(const std::string& name) {
  return ::unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT;
}

}  // namespace ogni::sandbox
