// The cgroups of environments, one of each kind per environment, where this host lets us: memory, processor time, and a
// freezer for the program's processes. Version 1 and version 2 of the kernel's interface, also where both are mounted.
//
// Version 2, with or without controllers, has per environment a directory that the init is cloned into, and below it a
// threaded one, `program`, that the program's first process moves into by itself: so the init stays outside of what is
// frozen, and no process pays for the pause that moving another takes. Version 1 serves what version 2 lacks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/cgroup_tree.h"
#include "sandbox/environment.h"

namespace ogni::sandbox {

struct EnvironmentCgroup {
  // Version 2: what the init is to be cloned into; empty where there is none.
  Fd clone_into;
  // Version 1: a process that writes "0" into it moves itself there. The init does, for itself and all below it.
  std::vector<Fd> tasks;
  // The same for the program's first process: what it is frozen by. Empty where signals have to do.
  Fd program_tasks;
  // Tells the init that memory has run out: version 1 an eventfd, version 2 memory.events, which is polled for POLLPRI.
  Fd out_of_memory;
  bool out_of_memory_is_event = false;
  // For the init and the daemon; empty where there is none.
  Fd memory_statistics;  // memory.stat
  // For the daemon; empty where there is none.
  Fd memory;            // directory that has the memory files
  Fd freezer;           // cgroup.freeze or freezer.state
  Fd processor_time;    // cpu.stat or cpuacct.usage
  Fd processor_weight;  // cpu.weight or cpu.shares
  Fd processor_idle;    // cpu.idle
  FreezeWay freeze_way = FreezeWay::kSignals;
};

// What an environment may use. 0 = no limit, or an average share.
struct CgroupLimits {
  std::uint64_t memory_bytes = 0;
  std::uint64_t processor_share = 0;  // thousandths of a processor: its weight beside other environments
  std::uint64_t processor_limit = 0;  // thousandths of a processor that are never exceeded
};

// What stands in for each kind where there is none: the end of a sentence that begins with why.
inline constexpr const char* kWithoutMemory =
    ": the init of an environment looks every 20 ms and kills what is above its limit";
inline constexpr const char* kWithoutSocketLimit =
    "the memory cgroups of this kernel cannot limit what sockets hold: all functions and the host share "
    "net.ipv4.tcp_mem";
inline constexpr const char* kWithoutProcessor = ": all functions weigh the same, less than the host's other work";
inline constexpr const char* kWithoutFreezer =
    ": the init of an environment stops and continues its processes by signals";

class [[nodiscard]] EnvironmentCgroups {
 public:
  // Takes what there is and sweeps what a predecessor with the same tag left; what there is not, the words below tell.
  // Errors: those that may_pass(). Environments never have less because of them.
  [[nodiscard]] static Result<EnvironmentCgroups> open(std::string_view tag);
  EnvironmentCgroups(EnvironmentCgroups&&) noexcept = default;

  // Why there is none of a kind; empty where there is.
  const std::string& no_memory() const { return no_memory_; }
  const std::string& no_processor() const { return no_processor_; }
  const std::string& no_freezer() const { return no_freezer_; }
  ProcessorWay processor_way() const;
  // What functions have to do without, a line each: why, and what stands in for it.
  std::vector<std::string> weaker() const;
  bool any() const { return memory_ || processor_ || unified_ || freezer_; }

  [[nodiscard]] Result<EnvironmentCgroup> create(const std::string& name, const CgroupLimits& limits);
  // May be called again: a blank environment learns its limits when it is used.
  [[nodiscard]] Result<void> limit(const std::string& name, const CgroupLimits& limits);
  // Of an environment with this share, in the unit of the file; 0 where there is nothing to weigh by, or no share.
  std::uint64_t weight_of(std::uint64_t share) const;
  // False while the kernel still counts a process in one.
  bool remove(const std::string& name);

 private:
  EnvironmentCgroups() = default;
  Result<void> open_memory(const std::string& name);
  Result<void> open_processor(const std::string& name);
  Result<void> open_freezer(const std::string& name);
  Result<EnvironmentCgroup> make(const std::string& name);
  // `processor`: the directory that has the weight.
  void open_pace(int processor, EnvironmentCgroup& cgroup) const;
  Result<void> make_unified(const std::string& name, EnvironmentCgroup& cgroup);
  Result<void> limit_memory(const std::string& name, std::uint64_t bytes);
  Result<void> limit_processor(const std::string& name, const CgroupLimits& limits);

  // Version 1 each, except unified_, which may also have the memory and processor controllers.
  std::optional<CgroupDirectory> memory_;
  std::optional<CgroupDirectory> processor_;
  std::optional<CgroupDirectory> freezer_;
  std::optional<CgroupDirectory> unified_;
  bool unified_memory_ = false;
  bool unified_processor_ = false;
  bool unified_freezer_ = false;
  std::string no_memory_;
  std::string no_processor_;
  std::string no_freezer_;
};

}  // namespace ogni::sandbox
