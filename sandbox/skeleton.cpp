#include "sandbox/skeleton.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>

#include "base/system.h"
#include "sandbox/etc_copy.h"
#include "sandbox/kernel.h"

namespace ogni::sandbox {

namespace {

struct Device {
  const char* name;
  unsigned major;
  unsigned minor;
};
constexpr std::array kDevices = {Device{"null", 1, 3},   Device{"zero", 1, 5},    Device{"full", 1, 7},
                                 Device{"random", 1, 8}, Device{"urandom", 1, 9}, Device{"tty", 5, 0}};
constexpr std::array kEmptyDirectories = {"dev", "etc",      "opt",         "proc",     "tmp",    "var",
                                          "run", "var/task", "var/runtime", "var/lang", "var/tmp"};
struct Link {
  const char* name;
  const char* target;
};
constexpr std::array kLinks = {
    Link{"dev/fd", "/proc/self/fd"},       Link{"dev/stdin", "/proc/self/fd/0"},  Link{"dev/stdout", "/proc/self/fd/1"},
    Link{"dev/stderr", "/proc/self/fd/2"}, Link{"etc/mtab", "/proc/self/mounts"},
};

}  // namespace

Result<void> make_directory_in(int root, const std::string& path) {
  if (::mkdirat(root, path.c_str(), 0755) != 0) return failure(Error::from_errno("mkdir " + path));
  return {};
}

Result<void> make_link_in(int root, const std::string& path, const std::string& target) {
  if (::symlinkat(target.c_str(), root, path.c_str()) != 0) return failure(Error::from_errno("symlink " + path));
  return {};
}

Result<void> make_skeleton(int root, SharedMemory shared_memory) {
  for (const char* name : kEmptyDirectories) {
    if (auto made = make_directory_in(root, name); !made) return made;
  }
  if (shared_memory == SharedMemory::kPlace) {
    if (auto made = make_directory_in(root, "dev/shm"); !made) return made;
  }
  for (const Device& device : kDevices) {
    auto file = open_at(root, std::string("dev/") + device.name, O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (!file) return failure(std::move(file).error());
  }
  for (const Link& link : kLinks) {
    if (auto made = make_link_in(root, link.name, link.target); !made) return made;
  }
  auto etc = open_at(root, "etc", O_RDONLY | O_DIRECTORY);
  if (!etc) return failure(std::move(etc).error());
  return write_made_up_etc(etc->get());
}

bool make_devices(int root) {
  constexpr const char* kNew = "dev/new";
  for (const Device& device : kDevices) {
    const std::string path = std::string("dev/") + device.name;
    if (::mknodat(root, kNew, S_IFCHR | 0666, makedev(device.major, device.minor)) != 0) return false;
    if (::fchmodat(root, kNew, 0666, 0) != 0 || ::renameat(root, kNew, root, path.c_str()) != 0) {
      ::unlinkat(root, kNew, 0);
      return false;
    }
  }
  return true;
}

Result<void> bind_devices(int root) {
  for (const std::string_view name : kSharedDevices) {
    const std::string path = "dev/" + std::string(name);
    struct stat status{};
    if (::fstatat(root, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode)) continue;
    auto tree = clone_tree(AT_FDCWD, "/" + path, Depth::kTopOnly);
    if (!tree) return failure(std::move(tree).error());
    const auto attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    if (auto sealed = seal_tree(tree->get(), attributes, Depth::kTopOnly); !sealed) return sealed;
    if (auto attached = attach_tree(tree->get(), root, path); !attached) return attached;
  }
  return {};
}

}  // namespace ogni::sandbox
