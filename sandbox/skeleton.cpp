#include "sandbox/skeleton.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/system.h"
#include "sandbox/etc_copy.h"
#include "sandbox/kernel.h"

namespace ogni::sandbox {

namespace {

constexpr std::array kDevices = {"null", "zero", "full", "random", "urandom", "tty"};
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
  for (const char* name : kDevices) {
    auto file = open_at(root, std::string("dev/") + name, O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (!file) return failure(std::move(file).error());
  }
  for (const Link& link : kLinks) {
    if (auto made = make_link_in(root, link.name, link.target); !made) return made;
  }
  auto etc = open_at(root, "etc", O_RDONLY | O_DIRECTORY);
  if (!etc) return failure(std::move(etc).error());
  return write_made_up_etc(etc->get());
}

Result<void> bind_devices(int root) {
  for (const char* name : kDevices) {
    auto tree = clone_tree(AT_FDCWD, std::string("/dev/") + name, Depth::kTopOnly);
    if (!tree) return failure(std::move(tree).error());
    const auto attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    if (auto sealed = seal_tree(tree->get(), attributes, Depth::kTopOnly); !sealed) return sealed;
    if (auto attached = attach_tree(tree->get(), root, std::string("dev/") + name); !attached) return attached;
  }
  return {};
}

}  // namespace ogni::sandbox
