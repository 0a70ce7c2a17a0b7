// Runs the dispatcher through random schedules against a model of the world that carries out its commands, with delays,
// crashes, hangs, losses and a jumping clock, and checks after each step what must always hold.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "dispatch/dispatcher.h"
#include "dispatch/dispatcher_world.h"

namespace ogni::dispatch {
namespace {

class Simulation : public World {
 public:
  explicit Simulation(const Schedule& schedule) : World(schedule) {
    for (int i = 0; i < schedule.versions; ++i) add_version();
  }

  void run() {
    for (int i = 0; i < schedule_.steps && !::testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("seed " + std::to_string(schedule_.seed) + ", step " + std::to_string(i));
      step();
      check();
    }
    SCOPED_TRACE("seed " + std::to_string(schedule_.seed) + ", after the drain");
    drain_to_the_end();
  }

 private:
  void add_version() {
    const VersionId id{++last_version_};
    timeouts_[id] = milliseconds(50 + below(300));
    active_.push_back(id);
    dispatcher_.add_version(
        {.id = id, .memory_mb = memory_of(id), .timeout = timeouts_[id], .init_timeout = milliseconds(100)});
  }

  void step() {
    const std::uint32_t dice = below(100);
    if (dice < 30) {
      invoke();
    } else if (dice < 85) {
      if (!environments_.empty()) act(pick());
    } else if (dice < 95) {
      move_clock();
    } else if (dice < 96) {
      retire();
    } else if (dice < 97) {
      cancel();
    } else if (chance(schedule_.idle_processors)) {
      dispatcher_.processors_idle(1 + below(2), now_);
    } else {
      report_nonsense();
    }
    perform();
  }

  Environments::iterator pick() { return std::next(environments_.begin(), below(environments_.size())); }

  void invoke() {
    const InvocationId id{++last_invocation_};
    const VersionId version = active_[below(active_.size())];
    invocations_[id] = {.version = version, .invoked = now_};
    dispatcher_.invoke(id, version, now_);
  }

  // One environment does what it may do next.
  void act(Environments::iterator which) {
    const EnvironmentId id = which->first;
    WorldEnvironment& environment = which->second;
    if (static_cast<int>(below(400)) < schedule_.faults) return lose(id);
    if (environment.killed) {
      if (environment.stuck) return;
      return end(id);
    }
    const bool fails = static_cast<int>(below(100)) < schedule_.faults;
    switch (environment.program) {
      case Program::kNone:
        return;
      case Program::kInit:
        if (fails) return end(id);
        environment.program = environment.invocation ? Program::kRuns : Program::kPolls;
        environment.idle_since = now_;
        if (environment.invocation) expect_delivery_ = id;
        dispatcher_.ready(id, now_);
        return;
      case Program::kPolls:
        if (fails && chance(10)) end(id);
        return;
      case Program::kRuns:
        if (fails) return end(id);
        if (chance(5)) return dispatcher_.ready(id, now_);  // polls the same event again
        environment.program = Program::kAnswered;
        end_for_caller(*environment.invocation);
        ++answered_;
        dispatcher_.answered(id, now_);
        return;
      case Program::kAnswered:
        if (fails) return end(id);
        environment.program = Program::kPolls;
        environment.idle_since = now_;
        dispatcher_.ready(id, now_);
        return;
    }
  }

  void end(EnvironmentId id) {
    WorldEnvironment& environment = environments_.at(id);
    environment.program = Program::kNone;
    environment.killed = false;
    dispatcher_.ended(id, now_);
  }

  void lose(EnvironmentId id) {
    environments_.at(id).gone = true;
    dispatcher_.gone(id, now_);
    perform();
    EXPECT_FALSE(environments_.at(id).invocation);
    environments_.erase(id);
  }

  void move_clock() {
    const auto due = dispatcher_.next_deadline();
    if (due && chance(25)) {
      now_ = *due;
    } else if (chance(3)) {
      now_ += milliseconds(below(5000));
    } else {
      now_ += std::chrono::microseconds(below(10'000));
    }
    dispatcher_.advance(now_);
  }

  void retire() {
    const std::size_t which = below(active_.size());
    dispatcher_.retire_version(active_[which], now_);
    active_.erase(std::next(active_.begin(), static_cast<std::ptrdiff_t>(which)));
    add_version();
  }

  // The caller of any invocation goes away.
  void cancel() {
    if (invocations_.empty()) return;
    const auto which = std::next(invocations_.begin(), below(invocations_.size()));
    const bool waits = !which->second.environment;
    EXPECT_EQ(dispatcher_.cancel(which->first, which->second.version, now_), waits);
    if (!waits) return;
    invocations_.erase(which);
    ++cancelled_;
  }

  // Reports that are late, early, or about environments long gone: none may do harm.
  void report_nonsense() {
    if (chance(50) || environments_.empty()) {
      const EnvironmentId unknown{chance(50) ? last_environment_ + 1 + below(5) : last_stopped_};
      if (environments_.contains(unknown)) return;
      dispatcher_.ready(unknown, now_);
      dispatcher_.answered(unknown, now_);
      dispatcher_.ended(unknown, now_);
      dispatcher_.gone(unknown, now_);
      return;
    }
    const auto& [id, environment] = *pick();
    if (environment.program != Program::kRuns || environment.killed) dispatcher_.answered(id, now_);
    if (environment.killed || environment.program == Program::kPolls || environment.program == Program::kNone) {
      dispatcher_.ready(id, now_);
    }
    if (environment.program == Program::kNone && !environment.killed) dispatcher_.ended(id, now_);
    EXPECT_TRUE(dispatcher_.take_commands().empty());
  }

  void drain_to_the_end() {
    draining_ = true;
    dispatcher_.drain(now_);
    perform();
    invoke();
    perform();
    for (int i = 0; i < 100'000 && !environments_.empty() && !::testing::Test::HasFailure(); ++i) {
      act(pick());
      perform();
      if (chance(10)) move_clock();
      perform();
      check();
    }
    EXPECT_TRUE(environments_.empty());
    EXPECT_TRUE(invocations_.empty());
    const Counts counts = dispatcher_.counts();
    EXPECT_EQ(counts.environments, 0U);
    EXPECT_EQ(counts.idle, 0U);
    EXPECT_EQ(counts.serving, 0U);
    EXPECT_EQ(counts.waiting, 0U);
    EXPECT_EQ(dispatcher_.next_deadline(), std::nullopt);
    EXPECT_EQ(answered_ + failed_ + refused_ + cancelled_, last_invocation_);
  }
};

class DispatcherSimulation : public ::testing::TestWithParam<Schedule> {};

TEST_P(DispatcherSimulation, KeepsItsPromisesAtEveryStep) {
  Simulation simulation(GetParam());
  simulation.run();
  RecordProperty("invoked", std::to_string(simulation.invoked()));
  // A schedule in which nothing succeeds or nothing goes wrong would show little.
  EXPECT_GT(simulation.answered(), simulation.invoked() / 20);
  EXPECT_GT(simulation.frozen(), 0U);
  EXPECT_GT(simulation.cancelled(), 0U);
  if (GetParam().starts_max < 1000) EXPECT_GT(simulation.queued(), 1000U);
  if (GetParam().faults > 0) EXPECT_GT(simulation.failed(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Schedules, DispatcherSimulation,
    ::testing::Values(
        Schedule{"OneAtATime", 1, 100'000, 1, 1, milliseconds(50), 1, 5},
        Schedule{"OneAtATimeWithoutGrace", 2, 100'000, 1, 1, milliseconds(0), 1, 5},
        Schedule{"OneAtATimeOverThreeVersions", 3, 100'000, 1, 3, milliseconds(50), 3, 5},
        Schedule{"FewWithManyFaults", 4, 100'000, 3, 4, milliseconds(50), 2, 40},
        Schedule{"FewWithoutFaults", 5, 100'000, 4, 4, milliseconds(50), 2, 0},
        Schedule{"MoreEnvironmentsThanConcurrency", 6, 100'000, 3, 12, milliseconds(30), 3, 8},
        Schedule{"LessEnvironmentsThanConcurrency", 7, 100'000, 12, 5, milliseconds(50), 3, 8},
        Schedule{"SomeWithoutGrace", 8, 100'000, 8, 8, milliseconds(0), 2, 10},
        Schedule{"LongGrace", 9, 100'000, 6, 9, milliseconds(500), 2, 10},
        Schedule{"FrozenAtOnce", 12, 100'000, 6, 9, milliseconds(50), 2, 10, milliseconds(0)},
        Schedule{"FrozenLate", 13, 100'000, 6, 9, milliseconds(50), 2, 10, milliseconds(400)},
        Schedule{"OneStartAtATime", 14, 100'000, 20, 20, milliseconds(50), 3, 10, milliseconds(20), 1},
        Schedule{"FewStartsAtOnce", 15, 100'000, 40, 30, milliseconds(50), 3, 10, milliseconds(20), 3},
        Schedule{"FewStartsWithoutGrace", 16, 100'000, 40, 30, milliseconds(0), 2, 20, milliseconds(20), 2},
        Schedule{"FewStartsOfOneVersion", 17, 100'000, 40, 50, milliseconds(500), 1, 5, milliseconds(20), 4},
        Schedule{"StartsOnIdleProcessors", 18, 100'000, 40, 30, milliseconds(50), 3, 10, milliseconds(20), 2, 50},
        Schedule{"StartsWithLittleRoom", 19, 100'000, 40, 6, milliseconds(50), 4, 10, milliseconds(20), 3, 20},
        Schedule{"Many", 10, 60'000, 100, 120, milliseconds(50), 4, 3},
        Schedule{"ManyOfOneVersion", 11, 60'000, 60, 200, milliseconds(50), 1, 6}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ogni::dispatch
