// The dispatcher's state and the steps that events are made of. Internal to dispatch/.
#pragma once

#include <unordered_map>

#include "dispatch/records.h"

namespace ogni::dispatch {

struct Dispatcher::Impl {
  // Whether the program of an environment that becomes free waits in next, or has to be started.
  enum class Program { kWaits, kGone };

  // Gone by itself, or given up because its reset took too long.
  enum class Loss { kGone, kDiscarded };

  explicit Impl(Limits the_limits) : limits(the_limits) {}

  // The clock of this machine never goes back.
  void move_clock(TimePoint time) {
    if (time > now) now = time;
  }
  Environment* find(EnvironmentId id);

  // environments.cpp: one environment's life.
  bool start(Version& version);
  bool make_room(const Version& version);
  void stop(Environment& environment, StopReason reason);
  void forget(Environment& environment);
  void forget_if_over(Version& version);
  void assign(Environment& environment, InvocationId invocation, Program program);
  void finish(Environment& environment);
  void become_free(Environment& environment, Program program);
  void park(Environment& environment, Program program);
  void unpark(Environment& environment);
  void freeze(Environment& environment);
  void thaw(Environment& environment);
  Environment* most_recently_used(Version& version);
  void begin_reset(Environment& environment, ResetReason reason);
  void end_init(Environment& environment);
  void lose(Environment& environment, Loss loss);
  void lose_starting(Environment& environment, Loss loss);
  void lose_serving(Environment& environment, Loss loss);
  void leave(Environment& environment, Loss loss);
  void set_timer(Environment& environment, TimePoint deadline);
  void clear_timer(Environment& environment);
  void on_deadline(Environment& environment);

  // waiting.cpp: invocations that no environment has taken yet.
  void refuse(InvocationId invocation, Refusal refusal);
  void fail(InvocationId invocation, EnvironmentId environment, Failure failure);
  Duration grace(const Version& version) const;
  void wait_in_grace(Version& version, InvocationId invocation);
  void wait_for_start(Version& version, InvocationId invocation);
  void grace_to_start(Waiter& waiter);
  void start_to_grace(Waiter& waiter, TimePoint deadline);
  InvocationId remove(Waiter& waiter);
  std::optional<InvocationId> take_oldest(Version& version);
  void end_grace(Waiter& waiter);
  void after_finishing_lost(Version& version);
  void serve_from_idle(Version& version);
  void note_starved(Version& version);
  void settle();

  bool at_concurrency_limit() const { return serving >= limits.concurrency_max; }

  Limits limits;
  TimePoint now{};
  bool draining = false;
  std::uint64_t last_environment = 0;
  std::uint64_t last_arrival = 0;
  std::size_t serving = 0;
  std::uint64_t memory_mb = 0;       // of all environments
  std::uint64_t idle_memory_mb = 0;  // of those that are idle
  std::size_t waiting = 0;
  std::vector<Command> commands;
  // Lists and timers come after what they link, so that they are destroyed first.
  std::unordered_map<EnvironmentId, Environment> environments;
  std::unordered_map<VersionId, Version> versions;
  Timers<Environment> timers;
  Timers<Waiter> grace_timers;
  IdleList idle;
  UnfrozenList unfrozen;  // longest idle first
  // Versions with both an idle environment and waiting invocations: they wait for the concurrency limit.
  // Empty between events unless the limit is reached.
  StarvedList starved;
};

}  // namespace ogni::dispatch
