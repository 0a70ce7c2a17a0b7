#include "sandbox/lasting.h"

#include <cerrno>

namespace ogni::sandbox {

bool is_lasting(const Error& error) {
  if (error.code() == ErrorCode::kNotFound) return true;
  switch (error.system_error()) {
    case EPERM:
    case EACCES:
    case EROFS:
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EINVAL:  // clone3 and unshare: a kernel that was built without this kind of namespace
      return true;
    default:
      return false;
  }
}

Error error_of(const Failed& failed) {
  return {failed.is_lasting ? ErrorCode::kNotFound : ErrorCode::kUnavailable, failed.message};
}

}  // namespace ogni::sandbox
