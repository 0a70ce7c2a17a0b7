#include "sandbox/mount_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include "base/system.h"
#include "sandbox/kernel.h"
#include "sandbox/template_root.h"

namespace ogni::sandbox {

namespace {

constexpr auto kCodeAttributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

Result<Fd> unshare_mounts(unsigned long propagation) {
  if (::unshare(CLONE_NEWNS) != 0) return failure(Error::from_errno("unshare mount namespace"));
  if (::mount(nullptr, "/", nullptr, MS_REC | propagation, nullptr) != 0) {
    return failure(Error::from_errno("set mount propagation"));
  }
  return open_file("/proc/self/ns/mnt", O_RDONLY);
}

Result<void> enter(const Fd& mount_namespace) {
  if (::setns(mount_namespace.get(), CLONE_NEWNS) != 0) return failure(Error::from_errno("setns mount namespace"));
  return {};
}

// An empty root with a place for the environment's root, and the host's /proc.
Result<void> become_lean_root() {
  auto proc = clone_tree(AT_FDCWD, "/proc", Depth::kRecursive);
  if (!proc) return failure(std::move(proc).error());
  const std::array options = {FileSystemOption{"mode", "0755"}, FileSystemOption{"size", "64k"}};
  auto tmpfs = make_file_system("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (!tmpfs) return failure(std::move(tmpfs).error());
  if (auto attached = attach_tree(tmpfs->get(), AT_FDCWD, "/proc"); !attached) return attached;
  if (::chdir("/proc") != 0) return failure(Error::from_errno("chdir to the lean root"));
  if (::mkdir("proc", 0755) != 0 || ::mkdir("root", 0755) != 0) {
    return failure(Error::from_errno("mkdir in the lean root"));
  }
  if (auto attached = attach_tree(proc->get(), AT_FDCWD, "proc"); !attached) return attached;
  return pivot_to_working_directory();
}

// The daemon's descriptor stands for a directory in the daemon's mount namespace, from which no tree can be cloned. So
// its path is walked again in the mirror of the host, and what is found there must be the same directory.
Result<Fd> reopen(int descriptor) {
  std::array<char, 4096> path;
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  if (size <= 0 || size == static_cast<ssize_t>(path.size())) return failure(Error::from_errno("readlink"));
  auto directory = open_file(std::string(path.data(), static_cast<std::size_t>(size)), O_PATH | O_DIRECTORY);
  if (!directory) return failure(std::move(directory).error());
  struct stat wanted{}, found{};
  if (::fstat(descriptor, &wanted) != 0 || ::fstat(directory->get(), &found) != 0) {
    return failure(Error::from_errno("fstat"));
  }
  if (wanted.st_dev != found.st_dev || wanted.st_ino != found.st_ino) {
    return failure(ErrorCode::kNotFound, "the directory is not where it was");
  }
  return directory;
}

Result<Fd> take_directory(int descriptor) {
  auto directory = reopen(descriptor);
  if (!directory) return directory;
  auto tree = clone_tree(directory->get(), "", Depth::kTopOnly);
  if (!tree) return tree;
  if (auto sealed = seal_tree(tree->get(), kCodeAttributes, Depth::kTopOnly); !sealed) {
    return failure(std::move(sealed).error());
  }
  return tree;
}

// Several layers are one overlay: later ones win.
Result<Fd> take_layers(std::span<const Fd> layers) {
  if (layers.size() == 1) return take_directory(layers.front().get());
  std::vector<Fd> opened;
  std::string lower;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    auto directory = reopen(layer->get());
    if (!directory) return directory;
    if (!lower.empty()) lower += ':';
    lower += "/proc/self/fd/" + std::to_string(directory->get());
    opened.push_back(std::move(*directory));
  }
  const std::array options = {FileSystemOption{"source", "layers"}, FileSystemOption{"lowerdir", lower}};
  auto overlay = make_file_system("overlay", options, kCodeAttributes);
  if (!overlay) return failure(std::move(overlay).error().within("merge layers"));
  return overlay;
}

}  // namespace

Result<MountNamespaces> MountNamespaces::create() {
  auto host = unshare_mounts(MS_SLAVE);
  if (!host) return failure(std::move(host).error());
  auto template_root = unshare_mounts(MS_PRIVATE);
  if (!template_root) return failure(std::move(template_root).error());
  if (auto made = become_template_root(); !made) return failure(std::move(made).error().within("template root"));
  if (auto back = enter(*host); !back) return failure(std::move(back).error());
  auto lean = unshare_mounts(MS_PRIVATE);
  if (!lean) return failure(std::move(lean).error());
  if (auto made = become_lean_root(); !made) return failure(std::move(made).error().within("lean root"));
  return MountNamespaces(std::move(*host), std::move(*template_root), std::move(*lean));
}

Result<Trees> MountNamespaces::take_trees_and_stray(const CodeDirectories& code) {
  Trees trees;
  if (auto entered = enter(template_root_); !entered) return failure(std::move(entered).error());
  auto root = clone_template_root();
  if (!root) return failure(std::move(root).error().within("root"));
  trees.root = std::move(*root);
  if (code.task < 0 && code.runtime < 0 && code.layers.empty()) return trees;

  if (auto entered = enter(host_); !entered) return failure(std::move(entered).error());
  const auto take = [](int descriptor, Fd& tree, std::string_view name) -> Result<void> {
    if (descriptor < 0) return {};
    auto taken = take_directory(descriptor);
    if (!taken) return failure(std::move(taken).error().within(name));
    tree = std::move(*taken);
    return {};
  };
  if (auto ok = take(code.task, trees.task, "task"); !ok) return failure(std::move(ok).error());
  if (auto ok = take(code.runtime, trees.runtime, "runtime"); !ok) return failure(std::move(ok).error());
  if (!code.layers.empty()) {
    auto opt = take_layers(code.layers);
    if (!opt) return failure(std::move(opt).error().within("layers"));
    trees.opt = std::move(*opt);
  }
  return trees;
}

Result<Trees> MountNamespaces::take_trees(const CodeDirectories& code) {
  auto trees = take_trees_and_stray(code);
  if (auto back = enter(lean_); !back) {
    lost_ = true;
    return failure(std::move(back).error());
  }
  return trees;
}

}  // namespace ogni::sandbox
