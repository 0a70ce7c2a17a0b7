// Processes that a handler has started and left behind. This process is made the reaper of those whose parents have ended;
// between invocations they are reaped, and killed where that is wanted. Processes that still have a parent within a
// worker are that worker's; to kill is to kill these, too. Source: prctl(2), PR_SET_CHILD_SUBREAPER.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

namespace ogni::bootstrap {

class Children {
 public:
  enum class Policy { kKeep, kKill };

  explicit Children(Policy policy);

  // Before its first invocation: what runs below `worker` is part of it (a VM's own helper, what the handler started when
  // it was loaded) and is not killed. Forgets what was so before.
  void spare_below(pid_t worker);

  // After an invocation. `own` are the processes that this program has started itself and waits for; `waiting` those of
  // them that have served none yet: nothing below them is killed.
  void clean(std::span<const pid_t> own, std::span<const pid_t> waiting = {}) const;

 private:
  // A number alone may have gone to another process.
  struct Spared {
    pid_t process;
    std::string start_time;
  };

  bool is_spared(pid_t process) const;
  bool kill_below(pid_t process, std::span<const pid_t> own, std::span<const pid_t> waiting) const;

  Policy policy_;
  std::vector<Spared> spared_;
};

}  // namespace ogni::bootstrap
