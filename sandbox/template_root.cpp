#include "sandbox/template_root.h"

#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/system.h"
#include "sandbox/etc_copy.h"
#include "sandbox/kernel.h"

namespace ogni::sandbox {

namespace {

// Where the template is made; the launcher has no use for the host's /proc meanwhile.
constexpr const char* kWorkplace = "/proc";
constexpr const char* kLayer =
    "tmp";  // above the host's directories; under this name while the template is made, and later
constexpr std::size_t kPartsMax = kDescriptorsPerMessageMax - 1;
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
  if (auto sealed = seal_tree(tree->get(), MOUNT_ATTR_NODEV, Depth::kRecursive); !sealed) return sealed;
  if (auto made = make_directory_in(root, name); !made) return made;
  return attach_tree(tree->get(), root, name);
}

// Makes the directories above `path` in the layer, and a link there.
Result<void> link_in_layer(const std::string& path, const std::string& target) {
  const std::string whole = kLayer + path;
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(whole).parent_path(), error);
  if (error) return failure(Error::from_errno("mkdir in the layer", error.value()));
  return make_link_in(AT_FDCWD, whole, target);
}

// On Amazon Linux sh is bash, and runtimes in shell depend on it. The link sh is replaced, so that whatever it points to
// stays what it is.
Result<void> let_sh_be_bash() {
  if (::access("/usr/bin/bash", X_OK) != 0) return {};
  for (const std::string name : {"/usr/bin/sh", "/bin/sh"}) {
    struct stat status{};
    const bool is_there = ::access(name.c_str(), X_OK) == 0;
    const std::string directory = name.substr(0, name.rfind('/'));
    if (!is_there || ::lstat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) continue;
    if (auto linked = link_in_layer(name, "/usr/bin/bash"); !linked) return linked;
  }
  return {};
}

// The interpreter of a managed runtime has AWS's place in /var/lang/bin. Where no runtime is mounted /var/lang leads nowhere.
Result<void> let_lang_be_the_runtimes(int root) {
  if (::unlinkat(root, "var/lang", AT_REMOVEDIR) != 0) return failure(Error::from_errno("rmdir var/lang"));
  return make_link_in(root, "var/lang", "runtime/lang");
}

bool has_locale(const char* name) {
  const locale_t locale = ::newlocale(LC_ALL_MASK, name, nullptr);
  if (locale == nullptr) return false;
  ::freelocale(locale);
  return true;
}

// LANG is en_US.UTF-8, as on AWS; where the host has no such locale, programs would complain in their logs, so C.utf8 is
// found under that name.
Result<void> let_there_be_english() {
  if (has_locale("en_US.UTF-8") || ::access("/usr/lib/locale/C.utf8/LC_CTYPE", R_OK) != 0) return {};
  return link_in_layer("/usr/lib/locale/en_US.utf8", "C.utf8");
}

// Without overlays there is no layer, and bash covers the link itself.
Result<void> cover_sh_by_bash(int root) {
  if (::access("/usr/bin/bash", X_OK) != 0) return {};
  for (const std::string name : {"usr/bin/sh", "bin/sh"}) {
    struct stat directory{};
    const std::string parent = name.substr(0, name.rfind('/'));
    if (::fstatat(root, parent.c_str(), &directory, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(directory.st_mode)) continue;
    struct stat status{};
    if (::fstatat(root, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    auto bash = clone_tree(root, "usr/bin/bash", Depth::kTopOnly);
    if (!bash) return failure(std::move(bash).error());
    if (auto attached = attach_tree(bash->get(), root, name); !attached) return attached;
  }
  return {};
}

Result<void> make_layer(int root) {
  const std::array options = {FileSystemOption{"mode", "0755"}, FileSystemOption{"size", "64k"}};
  auto layer = make_file_system("tmpfs", options, 0);
  if (!layer) return failure(std::move(layer).error());
  if (auto attached = attach_tree(layer->get(), root, kLayer); !attached) return attached;
  if (auto made = make_directory_in(root, std::string(kLayer) + "/nothing"); !made) return made;
  if (auto english = let_there_be_english(); !english) return english;
  return let_sh_be_bash();
}

Result<void> fill(int root, SharedMemory shared_memory) {
  if (auto made = make_skeleton(root, shared_memory); !made) return made;
  if (auto linked = let_lang_be_the_runtimes(root); !linked) return linked;
  for (const char* name : kSystemDirectories) {
    if (auto bound = bind_system_directory(root, name); !bound) return bound;
  }
  auto etc = open_at(root, "etc", O_RDONLY | O_DIRECTORY);
  if (!etc) return failure(std::move(etc).error());
  return copy_host_etc(etc->get());
}

// A path of mountinfo: spaces and their like are written as \\ooo.
std::string unescape(const std::string& text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      path += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      path += text[i];
    }
  }
  return path;
}

// What the host has mounted below the system directories, without the leading slash; those above before those below.
std::set<std::string> mounts_below() {
  std::set<std::string> found;
  const auto text = read_file("/proc/self/mountinfo", 4 << 20);
  if (!text) return found;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string skip, place;
    fields >> skip >> skip >> skip >> skip >> place;
    for (const char* name : kSystemDirectories) {
      if (place.starts_with("/" + std::string(name) + "/")) found.insert(unescape(place).substr(1));
    }
  }
  return found;
}

bool is_directory(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

constexpr auto kOverlayAttributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;

Result<Fd> overlay(const std::string& layers, std::uint64_t attributes) {
  const std::array options = {FileSystemOption{"source", "root"}, FileSystemOption{"lowerdir", layers}};
  return make_file_system("overlay", options, attributes);
}

}  // namespace

Result<TemplateRoot> TemplateRoot::become(SharedMemory shared_memory) {
  const auto mounts = mounts_below();
  const std::array options = {FileSystemOption{"mode", "0755"}, FileSystemOption{"size", "64m"}};
  auto tmpfs = make_file_system("tmpfs", options, 0);
  if (!tmpfs) return failure(std::move(tmpfs).error());
  if (auto attached = attach_tree(tmpfs->get(), AT_FDCWD, kWorkplace); !attached) {
    return failure(std::move(attached).error());
  }
  if (::chdir(kWorkplace) != 0) return failure(Error::from_errno("chdir to the template"));
  auto root = open_file(".", O_RDONLY | O_DIRECTORY);
  if (!root) return failure(std::move(root).error());
  if (auto filled = fill(root->get(), shared_memory); !filled) return failure(std::move(filled).error());
  const bool has_devices = make_devices(root->get());
  if (auto made = make_layer(root->get()); !made) return failure(std::move(made).error().within("layer"));
  if (auto sealed = seal_tree(root->get(), kOverlayAttributes, Depth::kRecursive); !sealed) {
    return failure(std::move(sealed).error().within("seal the template"));
  }
  if (auto bound = bind_devices(root->get()); !bound) return failure(std::move(bound).error());
  if (auto pivoted = pivot_to_working_directory(); !pivoted) return failure(std::move(pivoted).error());

  TemplateRoot made;
  made.plan(mounts, has_devices);
  if (auto tried = made.take(); !tried) made.why_shared_ = tried.error().message();
  if (made.why_shared_.empty()) return made;
  made.parts_.clear();
  if (::umount2("/tmp", MNT_DETACH) != 0) return failure(Error::from_errno("umount"));
  if (auto covered = cover_sh_by_bash(root->get()); !covered) return failure(std::move(covered).error());
  return made;
}

void TemplateRoot::plan(const std::set<std::string>& mounts, bool has_devices) {
  const auto add = [this](const std::string& path) {
    // A file cannot have an overlay: it stays the host's.
    const std::string upper = is_directory("/tmp/" + path) ? "/tmp/" + path : "/tmp/nothing";
    parts_.push_back({.path = path, .layers = is_directory("/" + path) ? upper + ":/" + path : ""});
  };
  for (const char* name : kSystemDirectories) {
    if (is_directory(std::string("/") + name)) add(name);
  }
  for (const std::string& mount : mounts) {
    struct stat status{};
    const std::string top = mount.substr(0, mount.find('/'));
    if (is_directory("/" + top) && ::lstat(("/" + mount).c_str(), &status) == 0) add(mount);
  }
  if (!has_devices) {
    for (const std::string_view device : kSharedDevices)
      parts_.push_back({.path = "dev/" + std::string(device), .layers = ""});
  }
  if (parts_.size() > kPartsMax) why_shared_ = "too many file systems are mounted below /usr";
}

Result<Root> TemplateRoot::take() const {
  Root root;
  if (!why_shared_.empty()) {
    auto tree = clone_tree(AT_FDCWD, "/", Depth::kRecursive);
    if (!tree) return failure(std::move(tree).error());
    root.tree = std::move(*tree);
    return root;
  }
  // The root's devices are its own.
  auto tree = overlay("/:/tmp/nothing", kOverlayAttributes);
  if (!tree) return failure(std::move(tree).error());
  root.tree = std::move(*tree);
  for (const Part& part : parts_) {
    auto made = part.layers.empty() ? clone_tree(AT_FDCWD, "/" + part.path, Depth::kTopOnly)
                                    : overlay(part.layers, kOverlayAttributes | MOUNT_ATTR_NODEV);
    if (!made) return failure(std::move(made).error().within(part.path));
    root.parts.push_back({.path = part.path, .tree = std::move(*made)});
  }
  return root;
}

}  // namespace ogni::sandbox
