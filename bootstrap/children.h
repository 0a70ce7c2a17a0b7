// Processes that a handler has started and left behind. This process is made the reaper of those whose parents have ended;
// between invocations they are reaped, and killed where that is wanted. Processes that still have a parent within a
// worker are that worker's; to kill is to kill these, too. Source: prctl(2), PR_SET_CHILD_SUBREAPER.
#pragma once

#include <sys/types.h>

#include <span>

namespace ogni::bootstrap {

class Children {
 public:
  enum class Policy { kKeep, kKill };

  explicit Children(Policy policy);

  // After an invocation. `own` are the processes that this program has started itself and waits for.
  void clean(std::span<const pid_t> own) const;

 private:
  Policy policy_;
};

}  // namespace ogni::bootstrap
