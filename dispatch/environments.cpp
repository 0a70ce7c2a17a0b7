// The steps of one environment's life.
#include <utility>

#include "dispatch/dispatcher_impl.h"

namespace ogni::dispatch {

Environment* Dispatcher::Impl::find(EnvironmentId id) {
  const auto found = environments.find(id);
  return found == environments.end() ? nullptr : &found->second;
}

// Gives up the least recently used idle environments where a limit asks for it, and none if that would not do.
bool Dispatcher::Impl::make_room(const Version& version) {
  const std::uint64_t busy_mb = memory_mb - idle_memory_mb;
  // What is larger than all the memory is refused before a start is wanted.
  if (busy_mb > limits.memory_mb_max - version.spec.memory_mb) return false;
  if (environments.size() >= limits.environments_max && idle.empty()) return false;
  while (environments.size() >= limits.environments_max || memory_mb > limits.memory_mb_max - version.spec.memory_mb) {
    stop(idle.front(), StopReason::kEvicted);
  }
  return true;
}

// Adds an environment of `version`, if the limits permit.
bool Dispatcher::Impl::start(Version& version, SlotKind slot) {
  if (!make_room(version)) return false;
  memory_mb += version.spec.memory_mb;
  const EnvironmentId id{++last_environment};
  Environment& environment = environments.try_emplace(id, id, version).first->second;
  environment.started = now;
  ++version.environments;
  ++version.starting;
  take_slot(environment, slot);
  set_timer(environment, after(now, version.spec.init_timeout));
  commands.emplace_back(StartEnvironment{.environment = id, .version = version.spec.id});
  return true;
}

void Dispatcher::Impl::stop(Environment& environment, StopReason reason) {
  commands.emplace_back(StopEnvironment{.environment = environment.id, .reason = reason});
  forget(environment);
}

// The counters that belong to the environment's state are the caller's to adjust.
void Dispatcher::Impl::forget(Environment& environment) {
  clear_timer(environment);
  release_slot(environment);
  unpark(environment);
  --environment.version.environments;
  memory_mb -= environment.version.spec.memory_mb;
  environments.erase(environment.id);
}

void Dispatcher::Impl::forget_if_over(Version& version) {
  if (version.retired && version.environments == 0 && !version.has_waiting()) versions.erase(version.spec.id);
}

void Dispatcher::Impl::deliver(Environment& environment, InvocationId invocation) {
  begin(environment, invocation);
  environment.state = EnvironmentState::kBusy;
  commands.emplace_back(
      Deliver{.environment = environment.id, .invocation = invocation, .deadline = environment.deadline});
}

void Dispatcher::Impl::restart(Environment& environment, InvocationId invocation, SlotKind slot) {
  begin(environment, invocation);
  take_slot(environment, slot);
  environment.state = EnvironmentState::kRestarting;
  commands.emplace_back(RestartProgram{.environment = environment.id, .invocation = invocation});
}

void Dispatcher::Impl::begin(Environment& environment, InvocationId invocation) {
  environment.invocation = invocation;
  ++serving;
  thaw(environment);
  set_timer(environment, after(now, environment.version.spec.timeout));
}

void Dispatcher::Impl::finish(Environment& environment) {
  commands.emplace_back(FinishInvocation{.environment = environment.id, .invocation = environment.invocation.value()});
  environment.invocation.reset();
  --serving;
}

void Dispatcher::Impl::become_free(Environment& environment, Program program) {
  Version& version = environment.version;
  clear_timer(environment);
  if (program == Program::kWaits) {
    if (const auto invocation = take_oldest(version)) return deliver(environment, *invocation);
  } else if (has_slot(version)) {
    if (const auto invocation = take_oldest(version)) return restart(environment, *invocation, SlotKind::kCounted);
  }
  rest(environment, program);
}

// Nothing is to be done in it now.
void Dispatcher::Impl::rest(Environment& environment, Program program) {
  Version& version = environment.version;
  if (!version.retired && !draining) return park(environment, program);
  stop(environment, version.retired ? StopReason::kRetired : StopReason::kDraining);
}

void Dispatcher::Impl::park(Environment& environment, Program program) {
  const bool waits = program == Program::kWaits;
  environment.state = waits ? EnvironmentState::kIdle : EnvironmentState::kReset;
  environment.idle_since = now;
  (waits ? environment.version.idle : environment.version.reset).push_front(environment);
  idle.push_back(environment);
  idle_memory_mb += environment.version.spec.memory_mb;
  if (waits && limits.freeze_after != Duration::max()) {
    unfrozen.push_back(environment);
    if (limits.freeze_after <= Duration::zero()) freeze(environment);
  }
  note_starved(environment.version);
}

void Dispatcher::Impl::unpark(Environment& environment) {
  if (!environment.idle_hook.is_linked()) return;
  Version& version = environment.version;
  auto& list = environment.state == EnvironmentState::kIdle ? version.idle : version.reset;
  list.erase(list.iterator_to(environment));
  idle.erase(idle.iterator_to(environment));
  idle_memory_mb -= version.spec.memory_mb;
  if (environment.unfrozen_hook.is_linked()) unfrozen.erase(unfrozen.iterator_to(environment));
  note_starved(version);
}

void Dispatcher::Impl::freeze(Environment& environment) {
  unfrozen.erase(unfrozen.iterator_to(environment));
  environment.frozen = true;
  commands.emplace_back(FreezeEnvironment{.environment = environment.id});
}

void Dispatcher::Impl::thaw(Environment& environment) {
  if (!std::exchange(environment.frozen, false)) return;
  commands.emplace_back(ThawEnvironment{.environment = environment.id});
}

Environment* Dispatcher::Impl::most_recently_used(Version& version) {
  if (!version.idle.empty()) return &version.idle.front();
  return version.reset.empty() ? nullptr : &version.reset.front();
}

void Dispatcher::Impl::begin_reset(Environment& environment, ResetReason reason) {
  commands.emplace_back(ResetEnvironment{.environment = environment.id, .reason = reason});
  environment.state = EnvironmentState::kResetting;
  release_slot(environment);
  set_timer(environment, after(now, limits.stop_max));
}

// Init failed and every process is gone: it is repeated inside the oldest invocation that waits for a start.
void Dispatcher::Impl::end_init(Environment& environment) {
  Version& version = environment.version;
  --version.starting;
  if (version.for_start.empty() || environment.crowded) {
    stop(environment, StopReason::kBroken);
  } else {
    become_free(environment, Program::kGone);
  }
}

// An environment is lost before it took an invocation. If one that waits for a start is then without a
// promise, it gets another start after a discarded environment, but not a third, and none after one that
// could not be made.
void Dispatcher::Impl::lose_starting(Environment& environment, Loss loss) {
  Version& version = environment.version;
  const EnvironmentId id = environment.id;
  --version.starting;
  Waiter* const loser = version.for_start.size() > version.starting ? &version.for_start.begin()->second : nullptr;
  if (loser != nullptr && (loss == Loss::kGone || ++loser->environments_lost >= 2)) {
    fail(remove(*loser), id, Failure::kEnvironmentFailed);
  }
  leave(environment, loss);
}

// An environment is lost with an invocation that was begun.
void Dispatcher::Impl::lose_serving(Environment& environment, Loss loss) {
  Version& version = environment.version;
  const bool unanswered =
      environment.state == EnvironmentState::kBusy || environment.state == EnvironmentState::kRestarting;
  if (unanswered) fail(*environment.invocation, environment.id, Failure::kEnvironmentFailed);
  finish(environment);
  leave(environment, loss);
  if (!unanswered) {
    --version.finishing;
  }
}

void Dispatcher::Impl::lose(Environment& environment, Loss loss) {
  if (environment.invocation) {
    lose_serving(environment, loss);
  } else if (environment.state == EnvironmentState::kIdle || environment.state == EnvironmentState::kReset) {
    leave(environment, loss);
  } else {
    lose_starting(environment, loss);
  }
}

void Dispatcher::Impl::leave(Environment& environment, Loss loss) {
  if (loss == Loss::kDiscarded) {
    stop(environment, StopReason::kBroken);
  } else {
    forget(environment);
  }
}

void Dispatcher::Impl::set_timer(Environment& environment, TimePoint deadline) {
  clear_timer(environment);
  environment.deadline = deadline;
  timers.insert(timers.end(), environment);  // mostly the latest so far
}

void Dispatcher::Impl::clear_timer(Environment& environment) {
  if (environment.timer_hook.is_linked()) timers.erase(timers.iterator_to(environment));
}

void Dispatcher::Impl::on_deadline(Environment& environment) {
  switch (environment.state) {
    case EnvironmentState::kStarting:
      environment.crowded = is_crowded(environment);
      if (environment.crowded) narrow_slots();
      begin_reset(environment, ResetReason::kInitTimedOut);
      break;
    case EnvironmentState::kBusy:
    case EnvironmentState::kRestarting:
      fail(environment.invocation.value(), environment.id, Failure::kTimedOut);
      ++environment.version.finishing;
      begin_reset(environment, ResetReason::kTimedOut);
      break;
    case EnvironmentState::kAnswered:
      begin_reset(environment, ResetReason::kTimedOut);
      break;
    case EnvironmentState::kResetting:
      lose(environment, Loss::kDiscarded);
      break;
    case EnvironmentState::kIdle:
    case EnvironmentState::kReset:
      break;
  }
}

}  // namespace ogni::dispatch
