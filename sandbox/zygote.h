// Where the inits of environments are cloned from: a process of the launcher's that does nothing else.
//
// A clone of the launcher itself would cost both a copy of every page that either writes from then on, and the clone a
// look at each of the launcher's thousands of descriptors. The zygote writes next to nothing and holds one descriptor.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/init.h"
#include "sandbox/kernel.h"
#include "sandbox/system_call_filter.h"

namespace ogni::sandbox {

class [[nodiscard]] Zygote {
 public:
  // Clones it from the caller, which is single-threaded: it keeps the namespaces that the caller is in now. `filter` is
  // for the programs of the inits.
  static Result<Zygote> start(const SystemCallFilter& filter);
  Zygote(Zygote&&) noexcept = default;
  Zygote& operator=(Zygote&& other) noexcept;
  ~Zygote();

  // Whether it has died between two orders: another one may take its place.
  [[nodiscard]] bool has_ended() const;

  // An init in new namespaces (`flags`: CLONE_NEW…) and, with `cgroup` >= 0, in that cgroup v2. It is the caller's own
  // child, and has its own copies of `descriptors`. As root `owner` owns the namespaces: what the kernel counts for each
  // user (inotify instances, pending signals, message queues) is then not what root, and every other environment, has
  // left. Errors: kUnavailable when the zygote has died; kLimit without a descriptor left for its pidfd; those of clone3.
  [[nodiscard]] Result<Child> clone_init(std::uint64_t flags, int cgroup, std::optional<uid_t> owner,
                                         const InitDescriptors& descriptors);

 private:
  Zygote(Fd socket, Child process) : socket_(std::move(socket)), process_(std::move(process)) {}

  Fd socket_;  // it ends when this closes
  Child process_;
};

}  // namespace ogni::sandbox
