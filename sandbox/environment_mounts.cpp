#include "sandbox/environment_mounts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
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

// What an environment's /proc tells of the machine and of others' use of it that is no business of a function, or could
// change it. What is left for all to read, programs size themselves by: cpuinfo, loadavg, meminfo, stat, uptime, vmstat.
constexpr std::array kCoveredFiles = {
    "buddyinfo", "cgroups",     "cmdline",   "config.gz", "diskstats",     "interrupts", "iomem",        "ioports",
    "kallsyms",  "kcore",       "key-users", "keys",      "mdstat",        "modules",    "pagetypeinfo", "partitions",
    "schedstat", "sched_debug", "softirqs",  "swaps",     "sysrq-trigger", "timer_list", "zoneinfo",
};
constexpr std::array kCoveredDirectories = {"acpi", "asound", "bus", "driver", "fs", "irq", "pressure", "scsi", "tty"};

// Those that this kernel has.
Result<void> cover(const Fd& proc, std::span<const char* const> names, int with) {
  Result<Fd> tree = Fd();
  for (const char* name : names) {
    if (!*tree) tree = clone_tree(with, "", Depth::kTopOnly);
    if (!tree) return failure(std::move(tree).error());
    if (::move_mount(tree->get(), "", proc.get(), name, MOVE_MOUNT_F_EMPTY_PATH) == 0) {
      tree->reset();
    } else if (errno != ENOENT) {
      return failure(Error::from_errno(std::string("cover ") + name));
    }
  }
  return {};
}

Result<void> restrict_proc(const Fd& proc) {
  auto file = open_file(kEmptyFile, O_PATH);
  if (!file) return failure(std::move(file).error());
  auto directory = open_file(kEmptyDirectory, O_PATH | O_DIRECTORY);
  if (!directory) return failure(std::move(directory).error());
  if (auto covered = cover(proc, kCoveredFiles, file->get()); !covered) return covered;
  if (auto covered = cover(proc, kCoveredDirectories, directory->get()); !covered) return covered;
  auto settings = clone_tree(proc.get(), "sys", Depth::kTopOnly);
  if (!settings) return failure(std::move(settings).error());
  const auto attributes = kProcAttributes | MOUNT_ATTR_RDONLY;
  if (auto sealed = seal_tree(settings->get(), attributes, Depth::kTopOnly); !sealed) return sealed;
  return attach_tree(settings->get(), proc.get(), "sys");
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
  // Over the host's, for as long as the environment has no root of its own: only what is attached can be covered.
  if (auto attached = attach_tree(proc->get(), AT_FDCWD, "/proc"); !attached)
    return failure(std::move(attached).error());
  if (auto restricted = restrict_proc(*proc); !restricted)
    return failure(std::move(restricted).error().within("/proc"));
  return proc;
}

Result<void> become_environment_root(const Root& root, const Fd& proc, std::uint64_t shared_memory_bytes) {
  if (auto ok = attach_tree(root.tree.get(), AT_FDCWD, "/root"); !ok) return ok;
  for (const RootPart& part : root.parts) {
    if (auto ok = attach_tree(part.tree.get(), AT_FDCWD, "/root/" + part.path); !ok) return ok;
  }
  if (::chdir("/root") != 0) return failure(Error::from_errno("chdir to the environment's root"));
  if (auto ok = attach_tree(proc.get(), AT_FDCWD, "proc"); !ok) return ok;
  if (shared_memory_bytes != 0) {
    auto shared_memory = make_tmp(shared_memory_bytes);
    if (!shared_memory) return failure(std::move(shared_memory).error());
    if (auto ok = attach_tree(shared_memory->get(), AT_FDCWD, "dev/shm"); !ok) return ok;
  }
  return pivot_to_working_directory();
}

Result<void> furnish_root(const Trees& trees, std::uint64_t tmp_bytes) {
  auto tmp = trees.tmp ? Result<Fd>(Fd()) : make_tmp(tmp_bytes);
  if (!tmp) return failure(std::move(tmp).error());
  struct Place {
    const Fd& tree;
    const char* path;
  };
  const std::array places = {
      Place{trees.task, "/var/task"},
      Place{trees.runtime, "/var/runtime"},
      Place{trees.opt, "/opt"},
      Place{trees.tmp ? trees.tmp : *tmp, "/tmp"},
      Place{trees.name_servers, "/etc/resolv.conf"},
  };
  for (const Place& place : places) {
    if (!place.tree) continue;
    if (auto ok = attach_tree(place.tree.get(), AT_FDCWD, place.path); !ok) return ok;
  }
  return {};
}

}  // namespace ogni::sandbox
