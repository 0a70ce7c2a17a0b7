#include "dispatch/dispatcher.h"

#include <algorithm>
#include <utility>

#include "dispatch/dispatcher_impl.h"

namespace ogni::dispatch {

Dispatcher::Dispatcher(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
Dispatcher::~Dispatcher() = default;

void Dispatcher::add_version(const VersionSpec& version) { impl_->versions.try_emplace(version.id, version); }

void Dispatcher::retire_version(VersionId id, TimePoint now) {
  Impl& d = *impl_;
  d.move_clock(now);
  const auto found = d.versions.find(id);
  if (found == d.versions.end()) return;
  Version& version = found->second;
  version.retired = true;
  while (Environment* environment = d.most_recently_used(version)) d.stop(*environment, StopReason::kRetired);
  d.settle(version);
  d.forget_if_over(version);
}

void Dispatcher::invoke(InvocationId invocation, VersionId id, TimePoint now) {
  Impl& d = *impl_;
  d.move_clock(now);
  if (d.draining) return d.refuse(invocation, Refusal::kDraining);
  const auto found = d.versions.find(id);
  if (found == d.versions.end()) return d.refuse(invocation, Refusal::kUnknownVersion);
  Version& version = found->second;

  if (Environment* const environment = d.most_recently_used(version);
      environment != nullptr && !d.at_concurrency_limit()) {
    if (environment->state == EnvironmentState::kIdle) {
      d.unpark(*environment);
      return d.deliver(*environment, invocation);
    }
    if (!version.has_waiting() && d.has_slot(version)) {
      d.unpark(*environment);
      return d.restart(*environment, invocation, SlotKind::kCounted);
    }
  }
  if (version.in_grace.size() < version.finishing && d.grace(version) > Duration::zero()) {
    return d.wait_in_grace(version, invocation);
  }
  if (d.at_concurrency_limit()) return d.refuse(invocation, Refusal::kConcurrencyLimit);
  if (version.for_start.size() >= version.starting && !d.may_want_start(version)) {
    return d.refuse(invocation, Refusal::kEnvironmentLimit);
  }
  d.wait_for_start(version, invocation);
  d.settle(version);
}

bool Dispatcher::cancel(InvocationId invocation, VersionId id, TimePoint now) {
  Impl& d = *impl_;
  d.move_clock(now);
  const auto found = d.versions.find(id);
  Waiter* const waiter = found == d.versions.end() ? nullptr : d.find_waiter(found->second, invocation);
  if (waiter == nullptr) return false;
  d.remove(*waiter);
  d.settle(found->second);
  d.forget_if_over(found->second);
  return true;
}

void Dispatcher::processors_idle(std::size_t processors, TimePoint now) {
  Impl& d = *impl_;
  d.move_clock(now);
  d.use_idle_processors(processors);
}

void Dispatcher::ready(EnvironmentId id, TimePoint now) {
  Impl& d = *impl_;
  d.move_clock(now);
  Environment* const environment = d.find(id);
  if (environment == nullptr) return;
  Version& version = environment->version;
  switch (environment->state) {
    case EnvironmentState::kStarting:
      version.last_cold_start = d.now - environment->started;
      --version.starting;
      d.release_slot(*environment);
      d.become_free(*environment, Impl::Program::kWaits);
      break;
    case EnvironmentState::kRestarting:
      d.release_slot(*environment);
      environment->state = EnvironmentState::kBusy;
      d.commands.emplace_back(
          Deliver{.environment = id, .invocation = environment->invocation.value(), .deadline = environment->deadline});
      break;
    case EnvironmentState::kAnswered:
      d.finish(*environment);
      --version.finishing;
      d.become_free(*environment, Impl::Program::kWaits);
      break;
    case EnvironmentState::kIdle:
    case EnvironmentState::kBusy:
    case EnvironmentState::kResetting:
    case EnvironmentState::kReset:
      return;
  }
  d.settle(version);
  d.forget_if_over(version);
}

void Dispatcher::answered(EnvironmentId id, TimePoint now) {
  Impl& d = *impl_;
  d.move_clock(now);
  Environment* const environment = d.find(id);
  if (environment == nullptr || environment->state != EnvironmentState::kBusy) return;
  environment->state = EnvironmentState::kAnswered;
  ++environment->version.finishing;
}

void Dispatcher::ended(EnvironmentId id, TimePoint now) {
  Impl& d = *impl_;
  d.move_clock(now);
  Environment* const environment = d.find(id);
  if (environment == nullptr) return;
  Version& version = environment->version;
  d.release_slot(*environment);
  switch (environment->state) {
    case EnvironmentState::kStarting:
      d.end_init(*environment);
      break;
    case EnvironmentState::kIdle:
      environment->state = EnvironmentState::kReset;
      if (environment->unfrozen_hook.is_linked()) d.unfrozen.erase(d.unfrozen.iterator_to(*environment));
      version.idle.erase(version.idle.iterator_to(*environment));
      version.reset.push_front(*environment);
      break;
    case EnvironmentState::kBusy:
    case EnvironmentState::kRestarting:
      d.fail(environment->invocation.value(), id, Failure::kProgramEnded);
      d.finish(*environment);
      d.become_free(*environment, Impl::Program::kGone);
      break;
    case EnvironmentState::kResetting:
      if (!environment->invocation) {
        d.end_init(*environment);
        break;
      }
      [[fallthrough]];
    case EnvironmentState::kAnswered:
      d.finish(*environment);
      --version.finishing;
      d.become_free(*environment, Impl::Program::kGone);
      break;
    case EnvironmentState::kReset:
      return;
  }
  d.settle(version);
  d.forget_if_over(version);
}

void Dispatcher::gone(EnvironmentId id, TimePoint now) {
  Impl& d = *impl_;
  d.move_clock(now);
  Environment* const environment = d.find(id);
  if (environment == nullptr) return;
  Version& version = environment->version;
  d.lose(*environment, Impl::Loss::kGone);
  d.settle(version);
  d.forget_if_over(version);
}

std::optional<TimePoint> Dispatcher::next_deadline() const {
  const Impl& d = *impl_;
  TimePoint earliest = TimePoint::max();
  if (!d.timers.empty()) earliest = std::min(earliest, d.timers.begin()->deadline);
  if (!d.waiter_timers.empty()) earliest = std::min(earliest, d.waiter_timers.begin()->deadline);
  if (!d.slots.empty()) earliest = std::min(earliest, after(d.slots.front().slot_since, d.limits.start_slot_max));
  if (!d.idle.empty()) earliest = std::min(earliest, after(d.idle.front().idle_since, d.limits.idle_max));
  if (!d.unfrozen.empty()) earliest = std::min(earliest, after(d.unfrozen.front().idle_since, d.limits.freeze_after));
  if (earliest == TimePoint::max()) return std::nullopt;
  return earliest;
}

void Dispatcher::advance(TimePoint now) {
  Impl& d = *impl_;
  d.move_clock(now);
  for (auto due = next_deadline(); due && *due <= d.now; due = next_deadline()) {
    if (!d.timers.empty() && d.timers.begin()->deadline == *due) {
      Environment& environment = *d.timers.begin();
      Version& version = environment.version;
      d.on_deadline(environment);
      d.settle(version);
      d.forget_if_over(version);
    } else if (!d.waiter_timers.empty() && d.waiter_timers.begin()->deadline == *due) {
      Version& version = d.waiter_timers.begin()->version;
      d.end_wait(*d.waiter_timers.begin());
      d.settle(version);
      d.forget_if_over(version);
    } else if (!d.slots.empty() && after(d.slots.front().slot_since, d.limits.start_slot_max) == *due) {
      d.release_slot(d.slots.front());
      d.settle();
    } else if (!d.unfrozen.empty() && after(d.unfrozen.front().idle_since, d.limits.freeze_after) == *due) {
      d.freeze(d.unfrozen.front());
    } else {
      d.stop(d.idle.front(), StopReason::kIdle);
      d.settle();
    }
  }
}

void Dispatcher::drain(TimePoint now) {
  Impl& d = *impl_;
  d.move_clock(now);
  d.draining = true;
  while (!d.idle.empty()) d.stop(d.idle.front(), StopReason::kDraining);
  d.settle();
}

std::vector<Command> Dispatcher::take_commands() { return std::exchange(impl_->commands, {}); }

void Dispatcher::take_commands(std::vector<Command>& into) {
  into.clear();
  into.swap(impl_->commands);
}

Counts Dispatcher::counts() const {
  return {.environments = impl_->environments.size(),
          .idle = impl_->idle.size(),
          .serving = impl_->serving,
          .waiting = impl_->waiting,
          .starts = impl_->slots.size(),
          .wanted = impl_->wanted_starts};
}

std::size_t Dispatcher::environments_of(VersionId version) const {
  const auto found = impl_->versions.find(version);
  return found == impl_->versions.end() ? 0 : found->second.environments;
}

bool Dispatcher::is_frozen(EnvironmentId environment) const {
  const Environment* const found = impl_->find(environment);
  return found != nullptr && found->frozen;
}

std::optional<EnvironmentState> Dispatcher::state_of(EnvironmentId environment) const {
  const Environment* const found = impl_->find(environment);
  if (found == nullptr) return std::nullopt;
  return found->state;
}

}  // namespace ogni::dispatch
