// The launcher's work: makes environments on the daemon's request and clears away what is left when one ends.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
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
#include "sandbox/wire.h"

namespace ogni::sandbox {

inline constexpr std::size_t kEnvironmentsMax = 10'000;
// Of memory, of /tmp: far beyond what there is, and sums do not overflow.
inline constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 50;

// Everything a launcher is told when it is started.
struct LauncherOptions {
  Strength strength = Strength::kNamespace;
  std::string tag;
  uid_t first_uid = 0;
  std::uint32_t uids = 0;
  ProcessIds process;
  std::uint64_t shared_memory_bytes = 0;
};

class EnvironmentMaker {
 public:
  // Prepares this process: user and mount namespaces, template, cgroups. Errors name the step.
  [[nodiscard]] static Result<EnvironmentMaker> create(const LauncherOptions& options);

  // What the daemon gets.
  struct Made {
    Fd control;
    Fd process;
    Fd log;
    EnvironmentCgroup cgroup;
  };
  // Does not wait for the environment: its init reports over `control`. Nothing is left on error.
  // Errors: kLimit, kConflict (an environment with this id lives), kInvalidArgument, kIo.
  [[nodiscard]] Result<Made> make(const wire::MakeEnvironment& request, std::vector<Fd> descriptors);

  // Readable when an init has ended: an epoll descriptor. Then call clear_away(); and again after the time that it
  // returns, if any.
  int descriptor() const { return ended_.get(); }
  std::optional<std::chrono::milliseconds> clear_away();

  // Ends every environment and waits, within bounds, until all are gone.
  void end_all();

  // The launcher cannot go on.
  bool broken() const { return mounts_ && mounts_->lost(); }

 private:
  struct Living {
    pid_t pid = -1;
    Fd process;
    Fd lifeline;  // closing it ends the environment
    std::uint32_t slot = 0;
    std::string cgroup;  // name, if it has one
  };
  // Of an environment that is being made.
  struct Parts {
    SocketPair control;   // first is the daemon's
    SocketPair lifeline;  // first is ours
    Fd log_read;
    Fd log_write;
    EnvironmentCgroup cgroup;
    std::string cgroup_name;
    std::uint32_t slot = 0;
    std::uint64_t tmp_bytes = 0;
  };
  struct Removal {
    std::string cgroup;
    int tries = 0;
  };

  EnvironmentMaker(LauncherOptions options, bool is_root, Fd ended)
      : options_(std::move(options)), is_root_(is_root), ended_(std::move(ended)) {}
  Result<void> prepare();
  Result<Parts> make_parts(const wire::MakeEnvironment& request);
  Result<Child> clone_init(const Parts& parts) const;
  Result<void> bring_up(const Child& init, const Parts& parts, const Trees& trees) const;
  void remove_cgroup(const std::string& name);
  Result<Made> make_living(const wire::MakeEnvironment& request, const Trees& trees);
  uid_t uid_of(std::uint32_t slot) const;
  gid_t gid_of(std::uint32_t slot) const;
  // Process environments: ends what an init that was killed left to us. True while some is left.
  bool kill_orphans();
  void bury(std::map<std::uint64_t, Living>::iterator ended);

  LauncherOptions options_;
  bool is_root_;
  Fd ended_;
  std::size_t environments_max_ = kEnvironmentsMax;
  std::optional<MountNamespaces> mounts_;
  SystemCallFilter filter_;
  std::optional<EnvironmentCgroups> cgroups_;
  std::map<std::uint64_t, Living> living_;  // by id
  std::vector<Removal> removals_;           // cgroups that the kernel still thinks are in use
  bool orphans_ = false;
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t next_slot_ = 0;
};

}  // namespace ogni::sandbox
