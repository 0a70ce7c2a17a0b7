#include "sandbox/kernel.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>
#include <vector>

#include "base/system.h"

namespace ogni::sandbox {

Result<Fd> clone_tree(int directory, const std::string& path, Depth depth) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  if (path.empty()) flags |= AT_EMPTY_PATH;
  if (depth == Depth::kRecursive) flags |= AT_RECURSIVE;
  const int tree = ::open_tree(directory, path.c_str(), flags);
  if (tree < 0) return failure(Error::from_errno("open_tree " + path));
  return Fd(tree);
}

Result<void> seal_tree(int tree, std::uint64_t attributes, Depth depth) {
  mount_attr wanted{};
  wanted.attr_set = attributes;
  wanted.propagation = MS_PRIVATE;
  const unsigned flags = AT_EMPTY_PATH | (depth == Depth::kRecursive ? unsigned{AT_RECURSIVE} : 0U);
  if (::mount_setattr(tree, "", flags, &wanted, sizeof wanted) != 0) {
    return failure(Error::from_errno("mount_setattr"));
  }
  return {};
}

Result<void> attach_tree(int tree, int directory, const std::string& path) {
  if (::move_mount(tree, "", directory, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return failure(Error::from_errno("move_mount to " + path));
  }
  return {};
}

Result<Fd> make_file_system(const char* type, std::span<const FileSystemOption> options, std::uint64_t attributes) {
  const std::string name(type);
  const Fd context(::fsopen(type, FSOPEN_CLOEXEC));
  if (!context && errno == ENODEV) return failure(ErrorCode::kNotFound, "this kernel has no file system " + name);
  if (!context) return failure(Error::from_errno("fsopen " + name));
  for (const FileSystemOption& option : options) {
    const bool is_flag = option.value.empty();
    const auto kind = is_flag ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    if (::fsconfig(context.get(), kind, option.name, is_flag ? nullptr : option.value.c_str(), 0) != 0) {
      return failure(Error::from_errno("fsconfig " + name + " " + option.name));
    }
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return failure(Error::from_errno("fsconfig " + name + " create"));
  }
  const int mount = ::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
  if (mount < 0) return failure(Error::from_errno("fsmount " + name));
  return Fd(mount);
}

Result<void> pivot_to_working_directory() {
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return failure(Error::from_errno("pivot_root"));
  // The old root now lies over the new one; "." is still the old.
  if (::umount2(".", MNT_DETACH) != 0) return failure(Error::from_errno("umount the old root"));
  if (::chdir("/") != 0) return failure(Error::from_errno("chdir /"));
  return {};
}

Result<Child> fork_into(std::uint64_t flags, int cgroup) {
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = flags | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  // A sibling has its maker's, which the kernel wants to be told of not at all.
  arguments.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(cgroup);
  }
  long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  // Containers commonly deny clone3, whose flags their filter cannot see. The older call does the same but for cgroups; a
  // sibling could not be reaped here if that failed.
  if (pid < 0 && errno == ENOSYS && (cgroup < 0 || (flags & CLONE_PARENT) == 0)) {
    pid = ::syscall(SYS_clone, (flags | CLONE_PIDFD) | arguments.exit_signal, nullptr, &pidfd, nullptr, nullptr);
    if (pid > 0 && cgroup >= 0) {
      auto moved = write_control_file(cgroup, "cgroup.procs", std::to_string(pid));
      if (!moved) {
        const Fd process(pidfd);
        ::kill(static_cast<pid_t>(pid), SIGKILL);
        while (::waitpid(static_cast<pid_t>(pid), nullptr, __WALL) < 0 && errno == EINTR) {
        }
        return failure(std::move(moved).error());
      }
    }
  }
  if (pid < 0) return failure(Error::from_errno("clone3"));
  if (pid == 0) return Child{.pid = 0, .process = Fd()};
  return Child{.pid = static_cast<pid_t>(pid), .process = Fd(pidfd)};
}

Result<void> keep_only(std::span<const int> descriptors) {
  constexpr int kFirst = 3;
  const int after = kFirst + static_cast<int>(descriptors.size());
  std::vector<int> aside;  // so that none is overwritten before it has been moved
  for (const int descriptor : descriptors) {
    aside.push_back(::fcntl(descriptor, F_DUPFD, after));
    if (aside.back() < 0) return failure(Error::from_errno("move a descriptor"));
  }
  for (int to = kFirst; const int from : aside) {
    if (::dup3(from, to++, O_CLOEXEC) < 0) return failure(Error::from_errno("move a descriptor"));
  }
  if (::syscall(SYS_close_range, after, ~0U, 0U) != 0) return failure(Error::from_errno("close_range"));
  return {};
}

Result<Fd> open_pidfd(pid_t pid) {
  const long fd = ::syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return failure(Error::from_errno("pidfd_open"));
  return Fd(static_cast<int>(fd));
}

bool wait_readable(int fd, std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace ogni::sandbox
