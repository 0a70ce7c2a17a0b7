#include "sandbox/template_root.h"

#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/system.h"
#include "sandbox/etc_copy.h"
#include "sandbox/kernel.h"

namespace ogni::sandbox {

namespace {

// Where the template is made; the launcher has no use for the host's /proc meanwhile.
constexpr const char* kWorkplace = "/proc";
constexpr std::array kSystemDirectories = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};

std::optional<std::string> read_link(const std::string& path) {
  std::array<char, 4096> target;
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(size));
}

// /usr and its like: bound where they are directories, linked where they are links.
Result<void> bind_system_directory(int root, const std::string& name) {
  if (auto target = read_link("/" + name)) return make_link_in(root, name, *target);
  struct stat status{};
  if (::lstat(("/" + name).c_str(), &status) != 0) return {};  // lib32 and its like may be absent
  auto tree = clone_tree(AT_FDCWD, "/" + name, Depth::kRecursive);
  if (!tree) return failure(std::move(tree).error());
  if (auto made = make_directory_in(root, name); !made) return made;
  return attach_tree(tree->get(), root, name);
}

// On Amazon Linux sh is bash, and runtimes in shell depend on it. bash covers the link sh itself, so that whatever the
// link points to stays what it is.
Result<void> let_sh_be_bash(int root) {
  if (::access("/usr/bin/bash", X_OK) != 0) return {};
  for (const std::string name : {"usr/bin/sh", "bin/sh"}) {
    struct stat directory{};
    const std::string parent = name.substr(0, name.rfind('/'));
    if (::fstatat(root, parent.c_str(), &directory, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(directory.st_mode)) continue;
    struct stat status{};
    if (::fstatat(root, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    auto bash = clone_tree(AT_FDCWD, "/usr/bin/bash", Depth::kTopOnly);
    if (!bash) return failure(std::move(bash).error());
    if (auto attached = attach_tree(bash->get(), root, name); !attached) return attached;
  }
  return {};
}

bool has_locale(const char* name) {
  const locale_t locale = ::newlocale(LC_ALL_MASK, name, nullptr);
  if (locale == nullptr) return false;
  ::freelocale(locale);
  return true;
}

// LANG is en_US.UTF-8, as on AWS; where the host has no such locale, programs would complain in their logs, so C.utf8 is
// found under that name: an overlay with one link over the host's directory. Without overlays it stays as it is.
Result<void> let_there_be_english(int root) {
  constexpr const char* kLocales = "usr/lib/locale";
  if (has_locale("en_US.UTF-8") || ::access("/usr/lib/locale/C.utf8/LC_CTYPE", R_OK) != 0) return {};
  const std::array options = {FileSystemOption{"mode", "0755"}, FileSystemOption{"size", "64k"}};
  auto upper = make_file_system("tmpfs", options, 0);
  if (!upper) return failure(std::move(upper).error());
  if (auto attached = attach_tree(upper->get(), root, "tmp"); !attached) return attached;
  auto linked = make_link_in(root, "tmp/en_US.utf8", "C.utf8");
  if (linked) {
    const std::array layers = {FileSystemOption{"source", "locale"},
                               FileSystemOption{"lowerdir", "tmp:/usr/lib/locale"}};
    if (auto overlay = make_file_system("overlay", layers, 0)) linked = attach_tree(overlay->get(), root, kLocales);
  }
  if (::umount2("tmp", MNT_DETACH) != 0) return failure(Error::from_errno("umount"));
  return linked;
}

Result<void> fill(int root, SharedMemory shared_memory) {
  if (auto made = make_skeleton(root, shared_memory); !made) return made;
  for (const char* name : kSystemDirectories) {
    if (auto bound = bind_system_directory(root, name); !bound) return bound;
  }
  auto etc = open_at(root, "etc", O_RDONLY | O_DIRECTORY);
  if (!etc) return failure(std::move(etc).error());
  if (auto filled = copy_host_etc(etc->get()); !filled) return filled;
  if (auto english = let_there_be_english(root); !english) return english;
  return let_sh_be_bash(root);
}

}  // namespace

Result<void> become_template_root(SharedMemory shared_memory) {
  const std::array options = {FileSystemOption{"mode", "0755"}, FileSystemOption{"size", "64m"}};
  auto tmpfs = make_file_system("tmpfs", options, 0);
  if (!tmpfs) return failure(std::move(tmpfs).error());
  if (auto attached = attach_tree(tmpfs->get(), AT_FDCWD, kWorkplace); !attached) return attached;
  if (::chdir(kWorkplace) != 0) return failure(Error::from_errno("chdir to the template"));
  auto root = open_file(".", O_RDONLY | O_DIRECTORY);
  if (!root) return failure(std::move(root).error());
  if (auto filled = fill(root->get(), shared_memory); !filled) return filled;
  const auto attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (auto sealed = seal_tree(root->get(), attributes, Depth::kRecursive); !sealed) {
    return failure(std::move(sealed).error().within("seal the template"));
  }
  if (auto bound = bind_devices(root->get()); !bound) return bound;
  return pivot_to_working_directory();
}

Result<Fd> clone_template_root() { return clone_tree(AT_FDCWD, "/", Depth::kRecursive); }

}  // namespace ogni::sandbox
