#include "service/identity.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

namespace ogni::service {

namespace {

Result<Identity> identity_of(const passwd& entry, const std::string& user) {
  if (entry.pw_uid == 0)
    return failure(ErrorCode::kInvalidArgument, "the service must not run as root: --user " + user);
  return Identity{.uid = entry.pw_uid, .gid = entry.pw_gid, .must_change = true};
}

}  // namespace

Result<Identity> choose_identity(const std::string& user) {
  if (::geteuid() != 0) {
    if (!user.empty()) {
      const passwd* entry = ::getpwnam(user.c_str());
      if (entry == nullptr || entry->pw_uid != ::geteuid()) {
        return failure(ErrorCode::kInvalidArgument, "only root can run the service as another user: --user " + user);
      }
    }
    return Identity{.uid = ::geteuid(), .gid = ::getegid(), .must_change = false};
  }
  if (!user.empty()) {
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) return failure(ErrorCode::kInvalidArgument, "there is no user " + user);
    return identity_of(*entry, user);
  }
  if (const passwd* entry = ::getpwnam("ogni")) return identity_of(*entry, "ogni");
  if (const char* sudo = std::getenv("SUDO_UID")) {
    const std::string text(sudo);
    uid_t uid = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), uid);
    if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && uid != 0) {
      if (const passwd* entry = ::getpwuid(uid)) return identity_of(*entry, text);
    }
  }
  return Identity{.uid = kFallbackUid, .gid = kFallbackUid, .must_change = true};
}

Result<void> become(const Identity& identity) {
  if (!identity.must_change) return {};
  if (::setgroups(0, nullptr) != 0) return failure(Error::from_errno("drop groups"));
  if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) return failure(Error::from_errno("set the group"));
  if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) return failure(Error::from_errno("set the user"));
  if (::setuid(0) == 0 || ::geteuid() != identity.uid || ::getegid() != identity.gid) {
    return failure(ErrorCode::kInternal, "root was not given up");
  }
  // Changing the uid hides /proc/self/fd from ourselves, by which the data directory is reached.
  if (::prctl(PR_SET_DUMPABLE, 1) != 0) return failure(Error::from_errno("stay dumpable"));
  return {};
}

}  // namespace ogni::service
