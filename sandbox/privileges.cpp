#include "sandbox/privileges.h"

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace ogni::sandbox {

void leave_session_keyring() { ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr); }

Result<void> become_user(uid_t uid, gid_t gid) {
  // Plain system calls: libc's wrappers synchronize threads, of which a cloned init has none.
  if (::syscall(SYS_setresgid, gid, gid, gid) != 0) return failure(Error::from_errno("setresgid"));
  if (::syscall(SYS_setresuid, uid, uid, uid) != 0) return failure(Error::from_errno("setresuid"));
  return {};
}

Result<void> bound_privileges() {
  for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  // There are no more; or it is refused to an ordinary user without a namespace of his own, who has none to begin with.
  if (errno != EINVAL && errno != EPERM) return failure(Error::from_errno("drop capability"));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure(Error::from_errno("no_new_privs"));
  return {};
}

int give_up_capabilities(Kept kept) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (kept == Kept::kSight) sets[0].permitted = sets[0].effective = 1U << CAP_SYS_PTRACE;
  return ::syscall(SYS_capset, &header, sets) == 0 ? 0 : errno;
}

Result<void> drop_privileges(Kept kept) {
  if (const int error = give_up_capabilities(kept); error != 0) return failure(Error::from_errno("capset", error));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failure(Error::from_errno("dumpable"));
  return {};
}

}  // namespace ogni::sandbox
