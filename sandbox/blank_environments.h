// Environments without a function yet: namespaces, control group, root, the listening socket and the ends of every channel
// do not depend on it. Made ahead of demand, so that a cold start is mounts and an exec; or at once, when there is none.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/system.h"
#include "sandbox/cgroup.h"
#include "sandbox/init.h"
#include "sandbox/kernel.h"
#include "sandbox/launcher.h"
#include "sandbox/mount_namespaces.h"
#include "sandbox/system_call_filter.h"
#include "sandbox/zygote.h"

namespace ogni::sandbox {

// An init that waits for the trees of its environment, and our ends of what leads to it.
struct BlankEnvironment {
  Child init;
  Fd control;   // the daemon's end
  Fd lifeline;  // ours: closing it ends the environment
  Fd log;       // the daemon's end
  EnvironmentCgroup cgroup;
  std::string cgroup_name;
  std::uint32_t slot = 0;     // of the host's uids
  std::uint32_t address = 0;  // of its end of what leads to the way out; 0 = it has none
};

class [[nodiscard]] BlankEnvironments {
 public:
  struct Options {
    Strength strength = Strength::kNamespace;
    bool is_root = false;
    uid_t first_uid = 0;
    ProcessIds process;
    std::uint64_t shared_memory_bytes = 0;
    int processes = 0;  // process_limit()
  };
  explicit BlankEnvironments(const Options& options);

  void use(SystemCallFilter filter) { filter_ = std::move(filter); }
  // Where roots are taken from; `mounts` outlives this object.
  void use(MountNamespaces& mounts) { mounts_ = &mounts; }
  // A cgroup for each; `cgroups` outlives this object.
  void use(EnvironmentCgroups& cgroups) { cgroups_ = &cgroups; }

  // Makes one and keeps it. In the launcher's lean mount namespace. Nothing is left on error.
  [[nodiscard]] Result<void> stock();
  // One that was kept and lives, with or without what leads to the way out as it is wanted; or a new one, without. Errors
  // name the step.
  [[nodiscard]] Result<BlankEnvironment> take(bool with_way_out);
  // A new one, with the host's files or with those below `root` (borrowed). Errors name the step.
  [[nodiscard]] Result<BlankEnvironment> make(int root = -1);
  // Keeps one that was taken, and is still blank.
  void keep(BlankEnvironment blank) { kept_.push_back(std::move(blank)); }
  // Ends one that nobody has got yet, and waits until it is gone.
  void discard(BlankEnvironment blank);
  void discard_all();
  // Ends the kept ones when their roots are out of date.
  void follow_host();
  // The zygote has died. It may have left a clone that nobody knows, so only another launcher can go on.
  bool lost() const { return zygote_lost_; }
  std::size_t count() const { return kept_.size(); }
  std::size_t count_with_way_out() const;

  // An environment is gone for good: its slot can be used again, and its cgroup be removed.
  void release(std::uint32_t slot, std::string cgroup);
  // Tries again to remove the cgroups that the kernel still thought in use. False when none is left.
  bool remove_cgroups();

 private:
  struct Removal {
    std::string cgroup;
    int tries = 0;
  };
  uid_t uid_of(std::uint32_t slot) const;
  gid_t gid_of(std::uint32_t slot) const;
  Result<void> fill(BlankEnvironment& blank, int root);
  Result<Child> start_init(const InitDescriptors& descriptors, std::uint32_t slot, int cgroup);

  Options options_;
  SystemCallFilter filter_;
  std::optional<Zygote> zygote_;  // since the first one in namespaces
  bool zygote_lost_ = false;
  MountNamespaces* mounts_ = nullptr;
  EnvironmentCgroups* cgroups_ = nullptr;
  std::deque<BlankEnvironment> kept_;
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t next_slot_ = 0;
  std::string cgroup_prefix_;  // of this launcher's
  std::uint64_t next_cgroup_ = 0;
  std::vector<Removal> removals_;
};

}  // namespace ogni::sandbox
