// User namespaces: the launcher's own when it is not root, and one id mapped into each environment.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace ogni::sandbox {

// The only ids of an environment, as AWS has them.
inline constexpr uid_t kEnvironmentUid = 993;
inline constexpr gid_t kEnvironmentGid = 993;

// Moves this (single-threaded) process into a user namespace of its own, its own ids mapped to themselves, where it has
// every capability.
[[nodiscard]] Result<void> enter_user_namespace();

// The setting of this host that forbids namespaces, in parentheses and after a space: the end of a sentence. Empty where
// none does.
std::string why_no_namespaces();
// `error` of making a namespace, with that setting in its words. Where a setting forbids it the error is lasting
// (kNotFound): the kernel's own errno may be ENOSPC, which stands for a bound that others have reached, too.
[[nodiscard]] Error no_namespaces(Error error, std::string_view doing);

// Maps kEnvironmentUid and kEnvironmentGid of the namespace that `child` was cloned into to `uid` and `gid` of ours.
[[nodiscard]] Result<void> map_environment_ids(pid_t child, uid_t uid, gid_t gid);

// The same for root of the namespace that `child` was cloned into.
[[nodiscard]] Result<void> map_root(pid_t child, uid_t uid, gid_t gid);

}  // namespace ogni::sandbox
