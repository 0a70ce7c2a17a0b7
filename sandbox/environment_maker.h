// The launcher's work: makes environments on the daemon's request and clears away what is left when one ends.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/system.h"
#include "sandbox/blank_environments.h"
#include "sandbox/cgroup.h"
#include "sandbox/init.h"
#include "sandbox/kernel.h"
#include "sandbox/launcher.h"
#include "sandbox/mount_namespaces.h"
#include "sandbox/tmp_disks.h"
#include "sandbox/way_out.h"
#include "sandbox/wire.h"

namespace ogni::sandbox {

inline constexpr std::size_t kEnvironmentsMax = 10'000;
// Of memory, of /tmp: far beyond what there is, and sums do not overflow.
inline constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 50;

// The launcher's own first environment; it does not wait for a disk.
inline constexpr std::uint64_t kTrialId = UINT64_MAX - 1;

// Everything a launcher is told when it is started.
struct LauncherOptions {
  Strength strength = Strength::kNamespace;
  std::string tag;
  uid_t first_uid = 0;
  std::uint32_t uids = 0;
  ProcessIds process;
  std::uint64_t shared_memory_bytes = 0;
  std::uint32_t blank_environments = 0;
  WayOutDemand way_out = WayOutDemand::kNone;
};

class EnvironmentMaker {
 public:
  // Prepares this process: user and mount namespaces, template, cgroups. Errors name the step.
  [[nodiscard]] static Result<EnvironmentMaker> create(const LauncherOptions& options, Fd disk_directory);

  // What the daemon gets.
  struct Made {
    Fd control;
    Fd process;
    Fd log;
    EnvironmentCgroup cgroup;
    std::uint64_t processor_weight = 0;  // 0: there are no descriptors to set it
  };
  // To the request with this id. Errors: kLimit, kConflict (an environment with this id lives), kInvalidArgument, kIo;
  // nothing is left then.
  struct Answer {
    std::uint64_t id = 0;
    Result<Made> made;
  };
  // Does not wait for the environment: its init reports over `control`. The answer may come later, in take_answers().
  void ask(const wire::MakeEnvironment& request, std::vector<Fd> descriptors);
  std::vector<Answer> take_answers() { return std::exchange(answers_, {}); }

  // Readable when an init has ended, or a disk is ready: an epoll descriptor. Then call clear_away(); and again after the
  // time that it returns, if any.
  int descriptor() const { return happened_.get(); }
  std::optional<std::chrono::milliseconds> clear_away();

  // Makes one thing ahead of demand, for when nobody asks. False when there is nothing to do.
  bool stock();

  // Ends every environment and waits, within bounds, until all are gone.
  void end_all();

  // The launcher cannot go on.
  bool broken() const { return (mounts_ && mounts_->lost()) || blanks_.lost(); }
  // Why /tmp is in memory may change once: when the first disk cannot be made.
  const LauncherMeans& means() const { return means_; }

 private:
  struct Living {
    pid_t pid = -1;
    Fd process;
    Fd lifeline;  // closing it ends the environment
    std::uint32_t slot = 0;
    std::string cgroup;  // name, if it has one
    std::optional<TmpDisk> disk;
  };
  struct Waiting {
    wire::MakeEnvironment request;
    std::vector<Fd> descriptors;
  };

  EnvironmentMaker(const LauncherOptions& options, Fd happened);
  Result<void> prepare(Fd disk_directory);
  Result<void> check(const wire::MakeEnvironment& request, std::size_t descriptors) const;
  void serve_waiting();
  void fail_waiting(std::uint64_t tmp_bytes, const Error& error);
  Result<Made> make(const Waiting& asked, std::optional<TmpDisk> disk);
  Result<void> furnish(BlankEnvironment& blank, const Waiting& asked, const std::optional<TmpDisk>& disk);
  Result<void> open_way_out();
  Result<void> connect(BlankEnvironment& blank);
  std::size_t blanks_with_way_out() const;
  bool stock_with_way_out();
  Result<Made> let_live(const wire::MakeEnvironment& request, BlankEnvironment blank, std::optional<TmpDisk> disk);
  // Process environments: ends what an init that was killed left to us. True while some is left.
  bool kill_orphans();
  void bury(std::map<std::uint64_t, Living>::iterator ended);

  LauncherOptions options_;
  Fd happened_;
  bool is_root_ = ::geteuid() == 0;  // before the user namespace of an ordinary user, where everybody is
  std::unique_ptr<WayOut> way_out_;  // since the first environment that wanted it, or the start
  bool way_out_wanted_ = false;      // so far, by any environment
  bool way_out_fails_ = false;       // ahead of demand; until one is made on demand
  std::size_t environments_max_ = kEnvironmentsMax;
  // On the heap: the blank environments refer to both.
  std::unique_ptr<MountNamespaces> mounts_;
  std::unique_ptr<EnvironmentCgroups> cgroups_;
  BlankEnvironments blanks_;
  bool blanks_fail_ = false;
  std::optional<TmpDisks> disks_;
  std::uint64_t disk_bytes_ = 0;  // of the last environment
  LauncherMeans means_;
  std::map<std::uint64_t, Living> living_;  // by id
  std::deque<Waiting> waiting_;             // for disks
  std::vector<Answer> answers_;
  bool orphans_ = false;
};

}  // namespace ogni::sandbox
