#include "sandbox/cgroup_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>

#include "base/system.h"

namespace ogni::sandbox {

namespace {

constexpr const char* kOwnGroup = "/ogni-service";  // for the daemon and the launcher, where they have to make room
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
  std::string options;
};

// What cannot be read because it is not there, or may not be, is empty: then there are no hierarchies either.
Result<std::string> read_if_there(const std::string& path, std::size_t bytes_max) {
  auto text = read_file(path, bytes_max);
  if (!text && !may_pass(text.error())) return std::string();
  return text;
}

Result<std::vector<Mounted>> mounted_hierarchies() {
  std::vector<Mounted> found;
  const auto text = read_if_there("/proc/self/mountinfo", 4 << 20);
  if (!text) return failure(text.error());
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash)), after(line.substr(dash + 3));
    std::string skip, root, place, type, source, options;
    before >> skip >> skip >> skip >> root >> place;
    after >> type >> source >> options;
    if (type == "cgroup2") found.push_back({CgroupVersion::kTwo, root, place, options});
    if (type == "cgroup") found.push_back({CgroupVersion::kOne, root, place, options});
  }
  return found;
}

// This process's own directory in a hierarchy, as /proc/self/cgroup has it: "4:memory:/a/b", "0::/a/b". Version 2 has
// no controller here.
Result<std::optional<std::string>> own_path(std::string_view controller) {
  const auto text = read_if_there("/proc/self/cgroup", 1 << 20);
  if (!text) return failure(text.error());
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? controllers.empty() : has_item(controllers, controller)) return line.substr(second + 1);
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

pid_t parent_of(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!text) return 0;
  std::istringstream fields(text->substr(text->rfind(')') + 1));  // the name before may hold anything
  char state = 0;
  pid_t parent = 0;
  return fields >> state >> parent ? parent : 0;
}

// A group that has processes cannot give its children controllers. Where they are only the launcher's, its keeper's and the
// daemon's, as in a service that systemd has delegated its group to, or in a container of our own, they move into a child of it.
// Others' stay where they are, and so do ours beside them.
bool make_room(const std::string& group) {
  if (group.ends_with(kOwnGroup)) return false;
  const auto text = read_file(group + "/cgroup.procs");
  if (!text) return false;
  const pid_t keeper = ::getppid();
  const std::array ours = {::getpid(), keeper, parent_of(keeper)};
  std::istringstream numbers(*text);
  const std::vector<pid_t> inside{std::istream_iterator<pid_t>(numbers), {}};
  if (!std::ranges::all_of(inside, [&](pid_t pid) { return std::ranges::find(ours, pid) != ours.end(); })) return false;
  const std::string place = group + kOwnGroup;
  if (::mkdir(place.c_str(), 0755) != 0 && errno != EEXIST) return false;
  return std::ranges::all_of(inside, [&](pid_t pid) {
    return write_control_file(AT_FDCWD, place + "/cgroup.procs", std::to_string(pid)).has_value();
  });
}

bool distributes(const std::string& path, const std::string& controller) {
  const auto controllers = read_file(path + "/cgroup.subtree_control", 4096);
  return controllers && has_word(*controllers, controller);
}

// Where this process is in the mounted hierarchies of a kind, if that can be seen.
struct Place {
  std::string path;
  std::string top;  // of what is mounted
};
Result<std::vector<Place>> own_places(CgroupVersion version, std::string_view controller) {
  std::vector<Place> found;
  const auto own = own_path(controller);
  if (!own) return failure(own.error());
  if (!*own) return found;
  const auto hierarchies = mounted_hierarchies();
  if (!hierarchies) return failure(hierarchies.error());
  for (const Mounted& mounted : *hierarchies) {
    if (mounted.version != version) continue;
    if (!controller.empty() && !has_item(mounted.options, controller)) continue;
    if (auto path = visible_path(mounted, **own)) found.push_back({.path = *path, .top = mounted.place});
  }
  return found;
}

Result<std::vector<std::string>> paths_of(Result<std::vector<Place>> places) {
  if (!places) return failure(std::move(places).error());
  std::vector<std::string> paths;
  for (Place& place : *places) paths.push_back(std::move(place.path));
  return paths;
}

void kill_all_in(int directory) {
  // Version 2 at once and with what is below. A version 1 freezer holds even a killed process.
  if (write_control_file(directory, "cgroup.kill", "1")) return;
  [[maybe_unused]] const auto thawed = write_control_file(directory, "freezer.state", "THAWED");
  for (const char* name : {"cgroup.procs", "cgroup.threads"}) {
    const auto text = read_file_at(directory, name);
    if (!text) continue;
    std::istringstream numbers(*text);
    for (pid_t pid = 0; numbers >> pid;) {
      if (pid > 1) ::kill(pid, SIGKILL);
    }
  }
}

// True when it is gone.
bool remove_tree(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  const auto directory = open_at(parent, name, O_RDONLY | O_DIRECTORY);
  if (!directory) return false;
  for (const std::string& below : directories_in(directory->get())) {
    ::unlinkat(directory->get(), below.c_str(), AT_REMOVEDIR);
  }
  return ::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT;
}

// Makes it or finds it there. A predecessor that is about to end may remove it in between.
Result<Fd> make_directory(int parent, const std::string& name) {
  for (int tries = 0; tries < kSweepTries; ++tries) {
    if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST) return failure(Error::from_errno("mkdir"));
    auto directory = open_at(parent, name, O_RDONLY | O_DIRECTORY);
    if (directory || directory.error().system_error() != ENOENT) return directory;
    ::poll(nullptr, 0, kSweepPauseMs);
  }
  return failure(ErrorCode::kUnavailable, "another program removes " + name + " again and again");
}

void sweep(int directory) {
  for (int tries = 0; tries < kSweepTries; ++tries) {
    bool busy = false;
    for (const std::string& name : directories_in(directory)) {
      if (remove_tree(directory, name)) continue;
      busy = true;
      const auto leaf = open_at(directory, name, O_RDONLY | O_DIRECTORY);
      if (!leaf) continue;
      kill_all_in(leaf->get());
      for (const std::string& below : directories_in(leaf->get())) {
        if (const auto deeper = open_at(leaf->get(), below, O_RDONLY | O_DIRECTORY)) kill_all_in(deeper->get());
      }
    }
    if (!busy) return;
    ::poll(nullptr, 0, kSweepPauseMs);
  }
}

}  // namespace

bool may_pass(const Error& error) {
  switch (error.system_error()) {
    case EAGAIN:
    case ENOMEM:
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case ENODEV:  // the group is being removed
      return true;
    default:
      return error.code() == ErrorCode::kUnavailable;
  }
}

Result<std::vector<std::string>> find_version_one(std::string_view controller) {
  return paths_of(own_places(CgroupVersion::kOne, controller));
}

Result<std::vector<std::string>> find_version_two() { return paths_of(own_places(CgroupVersion::kTwo, "")); }

Result<std::vector<std::string>> find_version_two_with(const std::string& controller) {
  std::vector<std::string> found;
  auto places = own_places(CgroupVersion::kTwo, "");
  if (!places) return failure(std::move(places).error());
  for (Place& place : *places) {
    std::string& path = place.path;
    // Else one above may do so already.
    if (!distributes(path, controller)) {
      const auto distribute = [&](const std::string& name) {
        return write_control_file(AT_FDCWD, path + "/cgroup.subtree_control", "+" + name);
      };
      auto tried = distribute(controller);
      if (!tried && may_pass(tried.error())) return failure(std::move(tried).error());
      if (!tried && tried.error().system_error() == EBUSY && make_room(path)) {
        for (const char* name : {"memory", "cpu"}) [[maybe_unused]]
          const auto again = distribute(name);
      }
    }
    while (path.size() >= place.top.size()) {
      if (distributes(path, controller)) found.push_back(path);
      if (path.size() == place.top.size()) break;
      path.resize(path.rfind('/'));
    }
  }
  return found;
}

Result<CgroupDirectory> CgroupDirectory::open(const std::string& parent, const std::string& name) {
  auto above = open_file(parent, O_RDONLY | O_DIRECTORY);
  if (!above) return failure(std::move(above).error());
  auto directory = make_directory(above->get(), name);
  if (!directory) return failure(std::move(directory).error().within("cgroup in " + parent));
  sweep(directory->get());
  return CgroupDirectory(std::move(*above), name, std::move(*directory));
}

CgroupDirectory::~CgroupDirectory() {
  if (!directory_) return;
  sweep(directory_.get());
  ::unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR);
}

Result<Fd> CgroupDirectory::create(const std::string& name) {
  const auto make = [&] { return ::mkdirat(directory_.get(), name.c_str(), 0755) == 0; };
  // One that is there is a predecessor's, which could not be removed while its processes were frozen.
  if (!make() && !(errno == EEXIST && remove(name) && make())) return failure(Error::from_errno("mkdir cgroup"));
  auto made = open_at(directory_.get(), name, O_RDONLY | O_DIRECTORY);
  if (!made) remove(name);
  return made;
}

bool CgroupDirectory::remove(const std::string& name) { return remove_tree(directory_.get(), name); }

}  // namespace ogni::sandbox
