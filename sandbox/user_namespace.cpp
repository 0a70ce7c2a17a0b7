#include "sandbox/user_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "base/system.h"

namespace ogni::sandbox {

namespace {

Result<void> write_maps(const std::string& process, uid_t inside_uid, uid_t uid, gid_t inside_gid, gid_t gid) {
  auto directory = open_file("/proc/" + process, O_PATH | O_DIRECTORY);
  if (!directory) return failure(std::move(directory).error());
  const std::string uid_map = std::to_string(inside_uid) + " " + std::to_string(uid) + " 1";
  const std::string gid_map = std::to_string(inside_gid) + " " + std::to_string(gid) + " 1";
  // Without setgroups(2) a group cannot be shed to gain what it is denied; an ordinary user must give it up first.
  if (auto ok = write_control_file(directory->get(), "setgroups", "deny"); !ok) return ok;
  if (auto ok = write_control_file(directory->get(), "uid_map", uid_map); !ok) return ok;
  return write_control_file(directory->get(), "gid_map", gid_map);
}

}  // namespace

std::string why_no_namespaces() {
  struct Switch {
    const char* path;
    std::string_view bad;
    const char* words;
  };
  constexpr std::array switches = {
      Switch{"/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces is 0"},
      Switch{"/proc/sys/user/max_mnt_namespaces", "0", "sysctl user.max_mnt_namespaces is 0"},
      Switch{"/proc/sys/user/max_pid_namespaces", "0", "sysctl user.max_pid_namespaces is 0"},
      Switch{"/proc/sys/user/max_net_namespaces", "0", "sysctl user.max_net_namespaces is 0"},
      Switch{"/proc/sys/user/max_ipc_namespaces", "0", "sysctl user.max_ipc_namespaces is 0"},
      Switch{"/proc/sys/user/max_uts_namespaces", "0", "sysctl user.max_uts_namespaces is 0"},
      Switch{"/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone is 0"},
      Switch{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
             "sysctl kernel.apparmor_restrict_unprivileged_userns is 1"},
  };
  for (const Switch& one : switches) {
    const auto value = read_file(one.path, 64);
    if (value && value->substr(0, value->find('\n')) == one.bad) return std::string(" (") + one.words + ")";
  }
  return "";
}

Error no_namespaces(Error error, std::string_view doing) {
  const std::string setting = why_no_namespaces();
  Error told = std::move(error).within(std::string(doing) + setting);
  if (setting.empty()) return told;
  return {ErrorCode::kNotFound, told.message()};
}

Result<void> enter_user_namespace() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) return failure(no_namespaces(Error::from_errno("unshare"), "user namespace"));
  if (auto mapped = write_maps("self", uid, uid, gid, gid); !mapped) {
    return failure(no_namespaces(std::move(mapped).error(), "user namespace"));
  }
  return {};
}

Result<void> map_environment_ids(pid_t child, uid_t uid, gid_t gid) {
  return write_maps(std::to_string(child), kEnvironmentUid, uid, kEnvironmentGid, gid);
}

Result<void> map_root(pid_t child, uid_t uid, gid_t gid) { return write_maps(std::to_string(child), 0, uid, 0, gid); }

}  // namespace ogni::sandbox
