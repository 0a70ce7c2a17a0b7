#include "sandbox/environment_mounts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/system.h"
#include "sandbox/kernel.h"

namespace ogni::sandbox {

namespace {

constexpr auto kProcAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

Result<Fd> make_tmp(std::uint64_t bytes) {
  // As many files as a disk of this size would typically hold; without a bound they would cost kernel memory.
  const std::uint64_t files = std::max<std::uint64_t>(bytes / 4096, 16'384);
  const std::array options = {
      FileSystemOption{"mode", "1777"},
      FileSystemOption{"size", std::to_string(bytes)},
      FileSystemOption{"nr_inodes", std::to_string(files)},
  };
  return make_file_system("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

}  // namespace

Result<Fd> make_proc() {
  // hidepid hides the init, which no program can have business with.
  const std::array options = {FileSystemOption{"hidepid", "invisible"}};
  auto proc = make_file_system("proc", options, kProcAttributes);
  if (!proc) proc = make_file_system("proc", {}, kProcAttributes);
  if (!proc) return proc;
  // A limit below which nothing gets in is an extra wall; a kernel without it has the others.
  [[maybe_unused]] const auto forbidden = write_control_file(proc->get(), "sys/user/max_user_namespaces", "0");
  return proc;
}

Result<void> become_environment_root(const Trees& trees, const Fd& proc, std::uint64_t tmp_bytes) {
  if (auto ok = attach_tree(trees.root.get(), AT_FDCWD, "/root"); !ok) return ok;
  if (::chdir("/root") != 0) return failure(Error::from_errno("chdir to the environment's root"));
  auto tmp = make_tmp(tmp_bytes);
  if (!tmp) return failure(std::move(tmp).error());
  struct Place {
    const Fd& tree;
    const char* path;
  };
  const std::array places = {
      Place{trees.task, "var/task"}, Place{trees.runtime, "var/runtime"}, Place{trees.opt, "opt"}, Place{*tmp, "tmp"},
      Place{proc, "proc"},
  };
  for (const Place& place : places) {
    if (!place.tree) continue;
    if (auto ok = attach_tree(place.tree.get(), AT_FDCWD, place.path); !ok) return ok;
  }
  return pivot_to_working_directory();
}

}  // namespace ogni::sandbox
