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
  bool start(Version& version, SlotKind slot);
  bool make_room(const Version& version);
  void stop(Environment& environment, StopReason reason);
  void forget(Environment& environment);
  void forget_if_over(Version& version);
  void deliver(Environment& environment, InvocationId invocation);
  void restart(Environment& environment, InvocationId invocation, SlotKind slot);
  void begin(Environment& environment, InvocationId invocation);
  void finish(Environment& environment);
  void become_free(Environment& environment, Program program);
  void rest(Environment& environment, Program program);
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
  void end_wait(Waiter& waiter);
  Waiter* find_waiter(Version& version, InvocationId invocation);
  void serve_starved(Version& version);
  void note_starved(Version& version);
  void settle();
  void settle(Version& changed);

  // starts.cpp: which of the starts that they wait for may begin.
  std::size_t slots_narrow() const;
  std::size_t slots_max() const;
  std::size_t slots_counted() const { return slots.size() - slots_uncounted; }
  bool has_slot(const Version& version) const;
  void take_slot(Environment& environment, SlotKind kind);
  void release_slot(Environment& environment);
  void note_wanted(Version& version);
  bool may_want_start(const Version& version) const;
  bool grant_start(SlotKind kind);
  void use_idle_processors(std::size_t processors);
  bool is_crowded(const Environment& environment) const;
  void narrow_slots();
  void widen_slots();

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
  std::size_t waiting_for_start = 0;  // those of them that are in `serving`
  std::vector<Command> commands;
  // Lists and timers come after what they link, so that they are destroyed first.
  std::unordered_map<EnvironmentId, Environment> environments;
  std::unordered_map<VersionId, Version> versions;
  Timers<Environment> timers;
  Timers<Waiter> waiter_timers;
  IdleList idle;
  UnfrozenList unfrozen;  // longest idle first
  // Versions with both an idle environment and invocations in grace: they wait for the concurrency limit.
  // Empty between events unless the limit is reached.
  StarvedList starved;
  WantingList wanting;  // versions that want a start, in the order of their turns
  SlotList slots;       // held by the start of a program; longest first
  std::size_t slots_uncounted = 0;
  bool slots_narrowed = false;
  TimePoint narrowed_at{};
  TimePoint processors_idle_at{};
  std::size_t wanted_starts = 0;
  std::uint64_t wanted_mb = 0;
};

}  // namespace ogni::dispatch
