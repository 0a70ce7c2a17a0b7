#include "sandbox/mount_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "base/system.h"
#include "sandbox/kernel.h"
#include "sandbox/template_root.h"

namespace ogni::sandbox {

namespace {

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
  if (::mkdir("proc", 0755) != 0 || ::mkdir("root", 0755) != 0 || ::mkdir(kEmptyDirectory + 1, 0555) != 0) {
    return failure(Error::from_errno("mkdir in the lean root"));
  }
  if (auto empty = open_at(AT_FDCWD, kEmptyFile + 1, O_CREAT | O_EXCL | O_WRONLY, 0444); !empty) {
    return failure(std::move(empty).error());
  }
  if (auto attached = attach_tree(proc->get(), AT_FDCWD, "proc"); !attached) return attached;
  if (auto sealed = seal_tree(tmpfs->get(), MOUNT_ATTR_RDONLY, Depth::kTopOnly); !sealed) return sealed;
  return pivot_to_working_directory();
}

}  // namespace

Result<MountNamespaces> MountNamespaces::create(SharedMemory shared_memory) {
  auto host = unshare_mounts(MS_SLAVE);
  if (!host) return failure(std::move(host).error());
  EtcWatch etc_watch;  // before the first copy, so that no change is missed
  auto code_mounts = CodeMounts::create(shared_memory);
  if (!code_mounts) return failure(std::move(code_mounts).error().within("code mounts"));
  auto template_namespace = unshare_mounts(MS_PRIVATE);
  if (!template_namespace) return failure(std::move(template_namespace).error());
  auto template_root = TemplateRoot::become(shared_memory);
  if (!template_root) return failure(std::move(template_root).error().within("template root"));
  if (auto back = enter(*host); !back) return failure(std::move(back).error());
  auto lean = unshare_mounts(MS_PRIVATE);
  if (!lean) return failure(std::move(lean).error());
  if (auto made = become_lean_root(); !made) return failure(std::move(made).error().within("lean root"));
  return MountNamespaces(std::move(*host), std::move(etc_watch), shared_memory, std::move(*code_mounts),
                         std::move(*template_namespace), std::move(*template_root), std::move(*lean));
}

Result<Root> MountNamespaces::take_root_and_stray(int files) {
  if (files >= 0) {
    if (auto entered = enter(host_); !entered) return failure(std::move(entered).error());
    auto root = code_mounts_.take_root(files);
    if (!root) return failure(std::move(root).error().within("root file system"));
    Root whole;
    whole.tree = std::move(*root);
    return whole;
  }
  if (auto entered = enter(template_namespace_); !entered) return failure(std::move(entered).error());
  auto root = template_root_.take();
  if (!root) return failure(std::move(root).error().within("root"));
  return root;
}

Result<Trees> MountNamespaces::take_trees_and_stray(const CodeDirectories& code) {
  Trees trees;
  if (code.task < 0 && code.runtime < 0 && code.layers.empty() && !code.name_servers) return trees;

  if (auto entered = enter(host_); !entered) return failure(std::move(entered).error());
  if (code.name_servers) {
    auto name_servers = name_servers_.copy();
    if (!name_servers) return failure(std::move(name_servers).error().within("name servers"));
    trees.name_servers = std::move(*name_servers);
  }
  const auto take = [&](std::span<const int> descriptors, Fd& tree, std::string_view name) -> Result<void> {
    auto taken = code_mounts_.take(descriptors, code.task);
    if (!taken) return failure(std::move(taken).error().within(name));
    tree = std::move(*taken);
    return {};
  };
  std::vector<int> layers;  // the uppermost first
  for (auto layer = code.layers.rbegin(); layer != code.layers.rend(); ++layer) layers.push_back(layer->get());
  struct Part {
    std::span<const int> descriptors;
    Fd& tree;
    std::string_view name;
  };
  const std::array parts = {
      Part{.descriptors = std::span(&code.task, code.task >= 0 ? 1 : 0), .tree = trees.task, .name = "task"},
      Part{
          .descriptors = std::span(&code.runtime, code.runtime >= 0 ? 1 : 0), .tree = trees.runtime, .name = "runtime"},
      Part{.descriptors = layers, .tree = trees.opt, .name = "layers"},
  };
  for (const Part& part : parts) {
    if (part.descriptors.empty()) continue;
    if (auto ok = take(part.descriptors, part.tree, part.name); !ok) return failure(std::move(ok).error());
  }
  return trees;
}

template <typename Taken>
Taken MountNamespaces::return_with(Taken taken) {
  if (auto back = enter(lean_); !back) {
    lost_ = true;
    return failure(std::move(back).error());
  }
  return taken;
}

Result<void> MountNamespaces::make_template_and_stray() {
  if (auto entered = enter(host_); !entered) return entered;
  etc_watch_.extend();
  auto mount_namespace = unshare_mounts(MS_PRIVATE);
  if (!mount_namespace) return failure(std::move(mount_namespace).error());
  auto root = TemplateRoot::become(shared_memory_);
  if (!root) return failure(std::move(root).error());
  // What failed this time only must not cost environments their own inodes.
  if (template_root_.why_shared().empty() && !root->why_shared().empty()) {
    return failure(ErrorCode::kUnavailable, root->why_shared());
  }
  template_namespace_ = std::move(*mount_namespace);
  template_root_ = std::move(*root);
  return {};
}

bool MountNamespaces::follow_host() {
  template_is_old_ = etc_watch_.take_change() || template_is_old_;
  if (!template_is_old_) return false;
  template_is_old_ = !return_with(make_template_and_stray());
  return !template_is_old_;
}

Result<Root> MountNamespaces::take_root(int files) { return return_with(take_root_and_stray(files)); }

Result<Trees> MountNamespaces::take_trees(const CodeDirectories& code) {
  return return_with(take_trees_and_stray(code));
}

}  // namespace ogni::sandbox
