// Which of the starts that invocations wait for may begin.
//
// Programs that start at the same time share the processors: a hundred starts of 0.6 s on two processors are all ready
// after 30 s, and each is then beyond its init limit. So a start, or the start of a program in an environment that has
// none, takes a slot. It gives the slot back when its program polls, ends or is killed, or after start_slot_max.
//
//   * Any version takes a slot while fewer than starts_max are taken. Of the waiting versions it is each one's turn in
//     order, and a version that got a slot goes to the end.
//   * One that has no slot may take one of starts_reserve more: it does not wait behind the burst of another version.
//   * A start that sleeps or waits for the network uses no processor. While processors are idle, further starts begin on
//     slots that are not counted, up to kUncountedPerCounted for each counted one.
//   * If an init times out while the processors were busy with other starts, the host was too slow, not the function: the
//     environment is discarded, its invocation waits for another start, and until nothing waits for a start half as many
//     slots are given, and none on idle processors.
//
// A version wants as many starts as it has more invocations waiting for a start than environments in init. Where one of
// them is served by an environment that became free the version wants one less; a start that has begun goes on.
#include <algorithm>

#include "dispatch/dispatcher_impl.h"

namespace ogni::dispatch {

namespace {

constexpr std::size_t kUncountedPerCounted = 3;
// Processors that have been busy for this long when an init times out were too slow for it.
constexpr Duration kBusyForLong = std::chrono::seconds(1);

}  // namespace

std::size_t Dispatcher::Impl::slots_narrow() const { return std::max<std::size_t>(limits.starts_max / 2, 1); }

std::size_t Dispatcher::Impl::slots_max() const {
  return slots_narrowed ? slots_narrow() : std::max<std::size_t>(limits.starts_max, 1);
}

bool Dispatcher::Impl::has_slot(const Version& version) const {
  if (slots_counted() < slots_max()) return true;
  return version.slots == 0 && slots_counted() - slots_max() < limits.starts_reserve;
}

void Dispatcher::Impl::take_slot(Environment& environment, SlotKind kind) {
  slots.push_back(environment);
  environment.slot_since = now;
  environment.slot_narrowed = slots_narrowed;
  environment.slot_kind = kind;
  slots_uncounted += kind == SlotKind::kUncounted ? 1 : 0;
  ++environment.version.slots;
}

void Dispatcher::Impl::release_slot(Environment& environment) {
  if (!environment.slot_hook.is_linked()) return;
  slots.erase(slots.iterator_to(environment));
  slots_uncounted -= environment.slot_kind == SlotKind::kUncounted ? 1 : 0;
  --environment.version.slots;
}

// To be called after whatever changes how many of the version's invocations wait for a start, or its environments in
// init.
void Dispatcher::Impl::note_wanted(Version& version) {
  const std::size_t wanted = version.for_start.size() - std::min(version.for_start.size(), version.starting);
  wanted_starts = wanted_starts - version.wanted + wanted;
  wanted_mb = wanted_mb - version.wanted * version.spec.memory_mb + wanted * version.spec.memory_mb;
  version.wanted = wanted;
  const bool was = version.wanting_hook.is_linked();
  if (wanted > 0 && !was) wanting.push_back(version);
  if (wanted == 0 && was) wanting.erase(wanting.iterator_to(version));
  note_starved(version);
}

// Whether one start more may be wanted: there is room for all of them, once idle environments have given way.
bool Dispatcher::Impl::may_want_start(const Version& version) const {
  if (version.for_start.size() < version.starting + version.reset.size()) return true;
  if (environments.size() - idle.size() + wanted_starts >= limits.environments_max) return false;
  const std::uint64_t taken_mb = memory_mb - idle_memory_mb + wanted_mb;
  return version.spec.memory_mb <= limits.memory_mb_max && taken_mb <= limits.memory_mb_max - version.spec.memory_mb;
}

// Begins the next start whose turn it is, if one may begin.
bool Dispatcher::Impl::grant_start(SlotKind kind) {
  const bool any = kind == SlotKind::kUncounted || slots_counted() < slots_max();
  if (!any && slots_counted() - slots_max() >= limits.starts_reserve) return false;
  for (Version& version : wanting) {
    if (!any && version.slots > 0) continue;
    if (!version.reset.empty()) {
      Environment& environment = version.reset.front();
      const InvocationId oldest = take_oldest(version).value();
      unpark(environment);
      restart(environment, oldest, kind);
    } else if (!start(version, kind)) {
      continue;  // busy environments have taken the room meanwhile
    }
    note_wanted(version);
    if (version.wanting_hook.is_linked()) wanting.splice(wanting.end(), wanting, wanting.iterator_to(version));
    return true;
  }
  return false;
}

void Dispatcher::Impl::use_idle_processors(std::size_t processors) {
  processors_idle_at = now;
  if (slots_narrowed) return;
  for (; processors > 0 && slots_uncounted / kUncountedPerCounted < slots_max(); --processors) {
    if (!grant_start(SlotKind::kUncounted)) return;
  }
}

// The init of `environment` has timed out: whether other starts had taken its processor.
bool Dispatcher::Impl::is_crowded(const Environment& environment) const {
  if (environment.slot_narrowed || (!slots_narrowed && slots.size() <= slots_narrow())) return false;
  return now - processors_idle_at >= kBusyForLong;
}

void Dispatcher::Impl::narrow_slots() {
  slots_narrowed = true;
  narrowed_at = now;
}

void Dispatcher::Impl::widen_slots() {
  if (waiting_for_start == 0 || now - narrowed_at >= limits.start_wait_max) slots_narrowed = false;
}

}  // namespace ogni::dispatch
