// Invocations that no environment has taken yet.
//
// All of a version's form one queue by arrival, and whichever environment becomes free takes the oldest. Each
// of them also holds a promise, so that it need not wait in vain: of a start (counted in `serving`), or,
// within the grace, of an environment that is about to finish an invocation (whose place in `serving` it
// inherits). The promises are not bound to the environments; where the oldest is served by the other kind
// than it was promised, another one swaps with it. Hence, after every event: for_start.size() <= starting and
// in_grace.size() <= finishing.
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
  waiter.deadline = after(now, grace(version));
  grace_timers.insert(grace_timers.end(), waiter);
  ++waiting;
  note_starved(version);
}

void Dispatcher::Impl::wait_for_start(Version& version, InvocationId invocation) {
  const std::uint64_t arrival = ++last_arrival;
  version.for_start.try_emplace(arrival, invocation, version).first->second.arrival = arrival;
  ++waiting;
  ++serving;
  note_starved(version);
}

// Both keep the waiter's address.
void Dispatcher::Impl::grace_to_start(Waiter& waiter) {
  Version& version = waiter.version;
  grace_timers.erase(grace_timers.iterator_to(waiter));
  version.for_start.insert(version.in_grace.extract(waiter.arrival));
  ++serving;
}

void Dispatcher::Impl::start_to_grace(Waiter& waiter, TimePoint deadline) {
  Version& version = waiter.version;
  version.in_grace.insert(version.for_start.extract(waiter.arrival));
  waiter.deadline = deadline;
  grace_timers.insert(waiter);
  --serving;
}

InvocationId Dispatcher::Impl::remove(Waiter& waiter) {
  Version& version = waiter.version;
  const InvocationId invocation = waiter.invocation;
  if (waiter.timer_hook.is_linked()) {
    grace_timers.erase(grace_timers.iterator_to(waiter));
    version.in_grace.erase(waiter.arrival);
  } else {
    version.for_start.erase(waiter.arrival);
    --serving;
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
    if (in_grace != nullptr && version.in_grace.size() > version.finishing) grace_to_start(*in_grace);
    return oldest;
  }
  if (in_grace == nullptr) return std::nullopt;
  if (for_start != nullptr && (version.for_start.size() > version.starting || at_concurrency_limit())) {
    start_to_grace(*for_start, in_grace->deadline);
  } else if (at_concurrency_limit()) {
    return std::nullopt;
  }
  return remove(*in_grace);
}

// The grace is over, or what it waited for is lost: a start instead, if permitted.
void Dispatcher::Impl::end_grace(Waiter& waiter) {
  Version& version = waiter.version;
  if (at_concurrency_limit()) {
    refuse(remove(waiter), Refusal::kConcurrencyLimit);
  } else if (version.has_idle()) {
    serve_from_idle(version);
  } else if (version.for_start.size() < version.starting || start(version)) {
    grace_to_start(waiter);
  } else {
    refuse(remove(waiter), Refusal::kEnvironmentLimit);
  }
}

void Dispatcher::Impl::after_finishing_lost(Version& version) {
  if (version.in_grace.size() > version.finishing) end_grace(version.in_grace.rbegin()->second);
}

// The version has an idle environment, a waiting invocation, and a place below the concurrency limit.
void Dispatcher::Impl::serve_from_idle(Version& version) {
  Environment& environment = *most_recently_used(version);
  const Program program = environment.state == EnvironmentState::kIdle ? Program::kWaits : Program::kGone;
  const InvocationId oldest = take_oldest(version).value();
  unpark(environment);
  assign(environment, oldest, program);
}

void Dispatcher::Impl::note_starved(Version& version) {
  const bool is = version.has_waiting() && version.has_idle();
  const bool was = version.starved_hook.is_linked();
  if (is && !was) starved.push_back(version);
  if (!is && was) starved.erase(starved.iterator_to(version));
}

// Gives places below the concurrency limit that have become free to those who wait for nothing else.
void Dispatcher::Impl::settle() {
  while (!starved.empty() && !at_concurrency_limit()) {
    serve_from_idle(starved.front());
  }
}

}  // namespace ogni::dispatch
