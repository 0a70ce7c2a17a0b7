// Invocations that no environment has taken yet.
//
// All of a version's form one queue by arrival, and whichever environment becomes free takes the oldest. Each
// of them also holds a promise, so that it need not wait in vain: of a start that has begun or is wanted (counted in
// `serving`), or, within the grace, of an environment that is about to finish an invocation (whose place in `serving`
// it inherits). The promises are not bound to the environments; where the oldest is served by the other kind
// than it was promised, another one swaps with it. Hence, after every event: for_start.size() <= starting + wanted, and
// in_grace.size() <= finishing unless the concurrency limit is reached.
#include <algorithm>

#include "dispatch/dispatcher_impl.h"

namespace ogni::dispatch {

void Dispatcher::Impl::refuse(InvocationId invocation, Refusal refusal) {
  commands.emplace_back(Refuse{.invocation = invocation, .refusal = refusal});
}

void Dispatcher::Impl::fail(InvocationId invocation, EnvironmentId environment, Failure failure) {
  commands.emplace_back(FailInvocation{.invocation = invocation, .environment = environment, .failure = failure});
}

Duration Dispatcher::Impl::grace(const Version& version) const {
  const Duration cold_start = version.last_cold_start.value_or(limits.reuse_grace_max);
  return std::min(limits.reuse_grace_max, std::max(cold_start, kReuseGraceFloor));
}

void Dispatcher::Impl::wait_in_grace(Version& version, InvocationId invocation) {
  const std::uint64_t arrival = ++last_arrival;
  Waiter& waiter = version.in_grace.try_emplace(arrival, invocation, version).first->second;
  waiter.arrival = arrival;
  waiter.since = now;
  waiter.is_in_grace = true;
  waiter.deadline = after(now, grace(version));
  waiter_timers.insert(waiter);
  ++waiting;
  note_starved(version);
}

void Dispatcher::Impl::wait_for_start(Version& version, InvocationId invocation) {
  const std::uint64_t arrival = ++last_arrival;
  Waiter& waiter = version.for_start.try_emplace(arrival, invocation, version).first->second;
  waiter.arrival = arrival;
  waiter.since = now;
  waiter.deadline = after(now, limits.start_wait_max);
  waiter_timers.insert(waiter_timers.end(), waiter);
  ++waiting;
  ++serving;
  ++waiting_for_start;
  note_starved(version);
}

// Both keep the waiter's address.
void Dispatcher::Impl::grace_to_start(Waiter& waiter) {
  Version& version = waiter.version;
  waiter_timers.erase(waiter_timers.iterator_to(waiter));
  version.for_start.insert(version.in_grace.extract(waiter.arrival));
  waiter.is_in_grace = false;
  waiter.deadline = after(waiter.since, limits.start_wait_max);
  waiter_timers.insert(waiter);
  ++serving;
  ++waiting_for_start;
}

void Dispatcher::Impl::start_to_grace(Waiter& waiter, TimePoint deadline) {
  Version& version = waiter.version;
  waiter_timers.erase(waiter_timers.iterator_to(waiter));
  version.in_grace.insert(version.for_start.extract(waiter.arrival));
  waiter.is_in_grace = true;
  waiter.deadline = deadline;
  waiter_timers.insert(waiter);
  --serving;
  --waiting_for_start;
}

InvocationId Dispatcher::Impl::remove(Waiter& waiter) {
  Version& version = waiter.version;
  const InvocationId invocation = waiter.invocation;
  waiter_timers.erase(waiter_timers.iterator_to(waiter));
  if (waiter.is_in_grace) {
    version.in_grace.erase(waiter.arrival);
  } else {
    version.for_start.erase(waiter.arrival);
    --serving;
    --waiting_for_start;
  }
  --waiting;
  note_starved(version);
  return invocation;
}

// The oldest one, for an environment that is not counted in `starting`, `finishing` or `serving` any more.
// None if none waits, or if the concurrency limit holds those that wait.
std::optional<InvocationId> Dispatcher::Impl::take_oldest(Version& version) {
  Waiter* const in_grace = version.in_grace.empty() ? nullptr : &version.in_grace.begin()->second;
  Waiter* const for_start = version.for_start.empty() ? nullptr : &version.for_start.begin()->second;
  if (for_start != nullptr && (in_grace == nullptr || for_start->arrival < in_grace->arrival)) {
    const InvocationId oldest = remove(*for_start);
    // The start that the oldest left over is for the one whose finishing environment it took.
    const bool has_two_places = serving + 1 < limits.concurrency_max;
    if (in_grace != nullptr && version.in_grace.size() > version.finishing && has_two_places) grace_to_start(*in_grace);
    return oldest;
  }
  if (in_grace == nullptr) return std::nullopt;
  // One that has already had to wait for a slot keeps its place.
  const bool lost_its_start = version.for_start.size() > version.starting && version.wanted == 0;
  if (for_start != nullptr && (lost_its_start || at_concurrency_limit())) {
    start_to_grace(*for_start, in_grace->deadline);
  } else if (at_concurrency_limit()) {
    return std::nullopt;
  }
  return remove(*in_grace);
}

// The grace is over: a start instead, if permitted.
void Dispatcher::Impl::end_grace(Waiter& waiter) {
  if (at_concurrency_limit()) {
    refuse(remove(waiter), Refusal::kConcurrencyLimit);
  } else if (may_want_start(waiter.version)) {
    grace_to_start(waiter);
  } else {
    refuse(remove(waiter), Refusal::kEnvironmentLimit);
  }
}

// No environment became free for it, and none was started, in all the time that it may wait.
void Dispatcher::Impl::end_wait(Waiter& waiter) {
  if (waiter.is_in_grace) return end_grace(waiter);
  refuse(remove(waiter), Refusal::kStartLimit);
}

Waiter* Dispatcher::Impl::find_waiter(Version& version, InvocationId invocation) {
  for (auto* const waiters : {&version.in_grace, &version.for_start}) {
    for (auto& [arrival, waiter] : *waiters) {
      if (waiter.invocation == invocation) return &waiter;
    }
  }
  return nullptr;
}

// The version is starved, and there is a place below the concurrency limit.
void Dispatcher::Impl::serve_starved(Version& version) {
  if (!version.idle.empty()) {
    Environment& environment = version.idle.front();
    const InvocationId oldest = take_oldest(version).value();
    unpark(environment);
    deliver(environment, oldest);
  } else if (!version.reset.empty() && has_slot(version)) {
    Environment& environment = version.reset.front();
    const InvocationId oldest = take_oldest(version).value();
    unpark(environment);
    restart(environment, oldest, SlotKind::kCounted);
  } else {
    end_grace(version.in_grace.begin()->second);
  }
  note_wanted(version);
}

void Dispatcher::Impl::note_starved(Version& version) {
  const bool is_owed = version.in_grace.size() > version.finishing ||
                       (!version.reset.empty() && version.for_start.size() < version.starting + version.reset.size());
  const bool is = !version.in_grace.empty() && (!version.idle.empty() || is_owed);
  const bool was = version.starved_hook.is_linked();
  if (is && !was) starved.push_back(version);
  if (!is && was) starved.erase(starved.iterator_to(version));
}

// Gives places below the concurrency limit that have become free to those who wait for nothing else, and slots to the
// starts that are wanted.
void Dispatcher::Impl::settle() {
  for (;;) {
    if (!starved.empty() && !at_concurrency_limit()) {
      serve_starved(starved.front());
    } else if (!grant_start(SlotKind::kCounted)) {
      break;
    }
  }
  widen_slots();
}

void Dispatcher::Impl::settle(Version& changed) {
  note_wanted(changed);
  settle();
}

}  // namespace ogni::dispatch
