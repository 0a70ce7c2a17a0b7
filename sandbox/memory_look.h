// What the init sees of the memory that the kernel charges to no control group: all of it, where there is none, and always
// what netlink sockets have queued.
//
// What it cannot see: shared memory that no process has mapped, and what UNIX sockets hold. Pipes it guesses.
#pragma once

#include <chrono>
#include <cstdint>

#include "sandbox/process_tree.h"

namespace ogni::sandbox {

class MemoryLook {
 public:
  explicit MemoryLook(Reach reach) : reach_(reach) {}

  // True when processes, their page tables, and (in a network namespace of their own) their sockets hold more than `limit`,
  // or when it would take too long to tell, since many small areas are a way to hide.
  bool is_above(std::uint64_t limit);
  // When to look again: a look may cost a fifth of the time at most.
  std::chrono::milliseconds pause() const { return pause_; }

 private:
  bool is_above_now(std::uint64_t limit);

  Reach reach_;
  std::chrono::milliseconds pause_ = kPauseLeast;
  static constexpr std::chrono::milliseconds kPauseLeast{20};
};

// What the netlink sockets of this network namespace have received and hold, if there are so many that it may be much.
bool netlink_holds_too_much();
inline constexpr std::chrono::milliseconds kNetlinkPause{1000};

}  // namespace ogni::sandbox
