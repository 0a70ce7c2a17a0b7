// The init of an environment: makes it from the inside, then starts programs in it, reaps, and reports.
//
// In a namespace environment it is PID 1: when it ends, the kernel ends everything in there. It ends when the daemon's
// end of its control socket closes, or the launcher's end of its lifeline. It is a clone (zygote.h), not a program of its
// own, so that a cold start pays for no exec.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/launcher.h"
#include "sandbox/mount_namespaces.h"
#include "sandbox/system_call_filter.h"

namespace ogni::sandbox {

// What the clone holds when it becomes an init. Everything else that is open gets closed.
struct InitDescriptors {
  int control = -1;
  int lifeline = -1;
  int log = -1;                         // write end
  std::array<int, 2> tasks = {-1, -1};  // of cgroups of version 1 to join, or -1
  int program_tasks = -1;               // of the cgroup that the program's processes join, or -1
  int out_of_memory = -1;               // EnvironmentCgroup::out_of_memory, or -1
  bool out_of_memory_is_event = false;
  int memory_statistics = -1;  // memory.stat of the environment's memory cgroup, or -1
  int niceness = 0;            // of the program
  int processes = 0;           // that it may have
};

// Process environments as root: the ids to take. 0 = keep.
struct ProcessIds {
  uid_t uid = 0;
  gid_t gid = 0;
};

// Never returns; the process ends with it. `filter` is for the programs; empty = none.
[[noreturn]] void run_init(const InitDescriptors& descriptors, Strength strength, const ProcessIds& ids,
                           const SystemCallFilter& filter);

// The launcher's words over the lifeline, two steps: that the init may begin (its ids are mapped), with its root in a
// namespace, and what the function has. Between them an environment is blank: it can serve any function, and listens.
[[nodiscard]] Result<void> send_begin(int lifeline, const Root& root = {}, std::uint64_t shared_memory_bytes = 0);
// `address`: of its end of what leads to a way out (way_out.h); 0 = it has none.
[[nodiscard]] Result<void> send_trees(int lifeline, const Trees& trees, std::uint64_t tmp_bytes, std::uint32_t address);

}  // namespace ogni::sandbox
