// All processes of an environment but its init, as the init sees them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace ogni::sandbox {

enum class Reach {
  kNamespace,    // every other process of the caller's pid namespace, whose PID 1 it is
  kDescendants,  // every descendant of the caller, who is their subreaper
};

// SIGKILL to each. With kDescendants one that forks meanwhile may escape: repeat until none is left.
void kill_all(Reach reach);

// SIGSTOP to each. False while one still runs: it was about to take the signal, or has been started or woken by another that
// was; repeat then.
bool stop_all(Reach reach);
// SIGCONT to each.
void continue_all(Reach reach);

// The proportional set sizes of all of them, summed: shared pages count once over all who share them.
std::uint64_t sum_pss_bytes(Reach reach);
// The same; nothing when `goes_on`, which is asked before each process, has said no.
std::optional<std::uint64_t> sum_pss_bytes(Reach reach, const std::function<bool()>& goes_on);

struct Resident {
  std::uint64_t bytes = 0;  // an upper bound of the above that is cheaper to have: what they share counts with each
  std::uint64_t page_table_bytes = 0;
  std::uint64_t descriptor_slots = 0;  // of tables that have grown beyond what programs need
};
Resident sum_resident(Reach reach);

// The caller's children, and all its descendants, by /proc/*/task/*/children.
std::vector<pid_t> find_children();
std::vector<pid_t> find_descendants();

}  // namespace ogni::sandbox
