// A model of the world around a dispatcher: it carries out the commands, refusing what makes no sense, and compares what
// it knows with what the dispatcher says. Included by the simulation test only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "dispatch/dispatcher.h"

namespace ogni::dispatch {

using std::chrono::milliseconds;

struct Schedule {
  const char* name;
  std::uint32_t seed;
  int steps;
  std::size_t concurrency_max;
  std::size_t environments_max;
  milliseconds grace;
  int versions;
  int faults;  // weight of crashes, hangs and losses
  milliseconds freeze_after = milliseconds(20);
  std::size_t starts_max = 1000;  // more than there are environments
  int idle_processors = 0;        // weight of moments in which processors are idle
};

inline constexpr milliseconds kStartSlotMax{80};
inline constexpr milliseconds kStartWaitMax{1500};

// The memory limit of a schedule is this much for each environment that may exist.
inline constexpr std::uint64_t kMemoryMbMean = 300;

inline std::uint64_t memory_of(VersionId version) { return static_cast<std::uint64_t>(version) % 5 * 150; }

class World {
 public:
  std::uint64_t invoked() const { return last_invocation_; }
  std::uint64_t answered() const { return answered_; }
  std::uint64_t failed() const { return failed_; }
  std::uint64_t refused() const { return refused_; }
  std::uint64_t frozen() const { return frozen_; }
  std::uint64_t cancelled() const { return cancelled_; }
  std::uint64_t queued() const { return queued_; }

 protected:
  enum class Program { kNone, kInit, kPolls, kRuns, kAnswered };

  struct WorldEnvironment {
    VersionId version{};
    Program program = Program::kInit;
    bool killed = false;  // ResetEnvironment came, and ended() was not reported
    bool stuck = false;   // the kill will not end it
    bool frozen = false;
    TimePoint idle_since;   // when it last began to wait in next
    TimePoint start_since;  // when its program was last to be started
    bool gone = false;      // reported, and on its way out of this model
    std::optional<InvocationId> invocation;
  };
  struct WorldInvocation {
    VersionId version{};
    TimePoint invoked;
    bool ended = false;  // for its caller
    std::optional<EnvironmentId> environment;
    TimePoint deadline;
  };
  using Environments = std::map<EnvironmentId, WorldEnvironment>;

  explicit World(const Schedule& schedule)
      : schedule_(schedule),
        random_(schedule.seed),
        dispatcher_({.concurrency_max = schedule.concurrency_max,
                     .environments_max = schedule.environments_max,
                     .memory_mb_max = schedule.environments_max * kMemoryMbMean,
                     .reuse_grace_max = schedule.grace,
                     .idle_max = milliseconds(2000),
                     .freeze_after = schedule.freeze_after,
                     .stop_max = milliseconds(60),
                     .starts_max = schedule.starts_max,
                     .start_slot_max = kStartSlotMax,
                     .start_wait_max = kStartWaitMax}) {}

  std::uint32_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, static_cast<std::uint32_t>(bound - 1))(random_);
  }
  bool chance(int percent) { return static_cast<int>(below(100)) < percent; }

  void perform() {
    for (const Command& command : dispatcher_.take_commands()) {
      std::visit([this](const auto& each) { carry_out(each); }, command);
    }
    EXPECT_FALSE(expect_delivery_);
  }

  WorldEnvironment* environment_of(EnvironmentId id) {
    const auto found = environments_.find(id);
    if (found == environments_.end()) {
      ADD_FAILURE() << "command for an unknown environment";
      return nullptr;
    }
    return &found->second;
  }
  WorldInvocation* invocation_of(InvocationId id) {
    const auto found = invocations_.find(id);
    if (found == invocations_.end()) {
      ADD_FAILURE() << "command for an invocation that is over";
      return nullptr;
    }
    return &found->second;
  }

  void carry_out(const StartEnvironment& c) {
    EXPECT_GT(static_cast<std::uint64_t>(c.environment), last_environment_);
    EXPECT_TRUE(timeouts_.contains(c.version));
    last_environment_ = static_cast<std::uint64_t>(c.environment);
    environments_[c.environment] = {.version = c.version, .start_since = now_};
    EXPECT_LE(environments_.size() - static_cast<std::size_t>(std::ranges::count_if(
                                         environments_, [](const auto& e) { return e.second.gone; })),
              schedule_.environments_max);
  }
  void carry_out(const RestartProgram& c) { begin(c.environment, c.invocation, Program::kNone, Program::kInit); }
  void carry_out(const Deliver& c) {
    WorldEnvironment* const environment = environment_of(c.environment);
    if (environment == nullptr) return;
    if (expect_delivery_ == c.environment) {
      expect_delivery_.reset();
      EXPECT_EQ(environment->invocation, c.invocation);
    } else {
      begin(c.environment, c.invocation, Program::kPolls, Program::kRuns);
    }
    const WorldInvocation* const invocation = invocation_of(c.invocation);
    if (invocation != nullptr) EXPECT_EQ(c.deadline, invocation->deadline);
  }
  void begin(EnvironmentId environment_id, InvocationId id, Program before, Program program) {
    WorldEnvironment* const environment = environment_of(environment_id);
    WorldInvocation* const invocation = invocation_of(id);
    if (environment == nullptr || invocation == nullptr) return;
    EXPECT_EQ(environment->program, before);
    EXPECT_FALSE(environment->frozen) << "an event for a frozen environment";
    EXPECT_FALSE(environment->killed);
    EXPECT_FALSE(environment->gone);
    EXPECT_FALSE(environment->invocation) << "two invocations in one environment";
    EXPECT_EQ(environment->version, invocation->version);
    EXPECT_FALSE(invocation->environment) << "begun twice";
    EXPECT_FALSE(invocation->ended);
    for (const auto& [other_id, other] : invocations_) {
      if (other_id >= id) break;
      EXPECT_TRUE(other.version != invocation->version || other.environment || other.ended) << "overtook an older one";
    }
    environment->program = program;
    environment->start_since = now_;
    environment->invocation = id;
    invocation->environment = environment_id;
    invocation->deadline = now_ + timeouts_.at(invocation->version);
  }
  void carry_out(const Refuse& c) {
    const WorldInvocation* const invocation = invocation_of(c.invocation);
    if (invocation == nullptr) return;
    EXPECT_FALSE(invocation->environment);
    if (c.refusal == Refusal::kDraining) EXPECT_TRUE(draining_);
    EXPECT_NE(c.refusal, Refusal::kUnknownVersion);
    if (c.refusal == Refusal::kStartLimit) EXPECT_GE(now_ - invocation->invoked, kStartWaitMax);
    ++refused_;
    end_for_caller(c.invocation);
  }
  void carry_out(const FailInvocation& c) {
    const WorldInvocation* const invocation = invocation_of(c.invocation);
    if (invocation == nullptr || environment_of(c.environment) == nullptr) return;
    if (invocation->environment) {
      EXPECT_EQ(invocation->environment, c.environment);
    } else {
      EXPECT_EQ(c.failure, Failure::kEnvironmentFailed);
    }
    if (c.failure == Failure::kTimedOut) EXPECT_LE(invocation->deadline, now_);
    ++failed_;
    end_for_caller(c.invocation);
  }
  void carry_out(const FinishInvocation& c) {
    WorldEnvironment* const environment = environment_of(c.environment);
    const WorldInvocation* const invocation = invocation_of(c.invocation);
    if (environment == nullptr || invocation == nullptr) return;
    EXPECT_EQ(environment->invocation, c.invocation);
    EXPECT_TRUE(invocation->ended) << "finished before its caller was answered";
    environment->invocation.reset();
    invocations_.erase(c.invocation);
  }
  void carry_out(const ResetEnvironment& c) {
    WorldEnvironment* const environment = environment_of(c.environment);
    if (environment == nullptr) return;
    EXPECT_FALSE(environment->killed);
    EXPECT_NE(environment->program, Program::kNone);
    EXPECT_NE(environment->program, Program::kPolls);
    environment->killed = true;
    environment->stuck = static_cast<int>(below(100)) < schedule_.faults;
  }
  void carry_out(const FreezeEnvironment& c) {
    WorldEnvironment* const environment = environment_of(c.environment);
    if (environment == nullptr) return;
    EXPECT_EQ(environment->program, Program::kPolls);
    EXPECT_FALSE(environment->frozen);
    EXPECT_FALSE(environment->invocation);
    EXPECT_GE(now_ - environment->idle_since, schedule_.freeze_after) << "frozen before its time";
    environment->frozen = true;
    ++frozen_;
  }
  void carry_out(const ThawEnvironment& c) {
    WorldEnvironment* const environment = environment_of(c.environment);
    if (environment == nullptr) return;
    EXPECT_TRUE(environment->frozen);
    environment->frozen = false;
  }
  void carry_out(const StopEnvironment& c) {
    const WorldEnvironment* const environment = environment_of(c.environment);
    if (environment == nullptr) return;
    EXPECT_FALSE(environment->invocation);
    EXPECT_FALSE(environment->gone);
    last_stopped_ = static_cast<std::uint64_t>(c.environment);
    environments_.erase(c.environment);
  }

  void end_for_caller(InvocationId id) {
    WorldInvocation& invocation = invocations_.at(id);
    EXPECT_FALSE(invocation.ended) << "ended twice";
    invocation.ended = true;
    if (!invocation.environment) invocations_.erase(id);
  }

  static EnvironmentState expected_state(const WorldEnvironment& environment) {
    if (environment.killed) return EnvironmentState::kResetting;
    switch (environment.program) {
      case Program::kNone:
        return EnvironmentState::kReset;
      case Program::kInit:
        return environment.invocation ? EnvironmentState::kRestarting : EnvironmentState::kStarting;
      case Program::kPolls:
        return EnvironmentState::kIdle;
      case Program::kRuns:
        return EnvironmentState::kBusy;
      case Program::kAnswered:
        return EnvironmentState::kAnswered;
    }
    return EnvironmentState::kReset;
  }

  struct Totals {
    std::size_t environments = 0, idle = 0, reset = 0, starting = 0, finishing = 0, waiting = 0, overdue = 0;
  };

  // Starts are bounded, and none waits while there is a slot and room for it.
  void check_starts(const std::map<VersionId, Totals>& totals, std::uint64_t busy_mb) {
    const Counts counts = dispatcher_.counts();
    std::size_t starts = 0;
    for (const auto& [id, environment] : environments_) {
      starts += environment.program == Program::kInit && !environment.killed &&
                now_ - environment.start_since < kStartSlotMax;
    }
    ASSERT_EQ(counts.starts, starts);
    const std::size_t reserved = schedule_.starts_max + 1;
    ASSERT_LE(starts, reserved + (schedule_.idle_processors > 0 ? 3 * schedule_.starts_max : 0));
    if (counts.wanted > 0) ++queued_;
    if (counts.wanted == 0 || starts >= std::max<std::size_t>(schedule_.starts_max / 2, 1)) return;
    for (const auto& [id, version] : totals) {
      if (version.waiting <= version.starting + version.finishing) continue;
      ASSERT_EQ(version.reset, 0U) << "an environment without program waits while a start slot is free";
      const bool has_place = counts.environments - counts.idle < schedule_.environments_max;
      const bool has_memory = busy_mb + memory_of(id) <= schedule_.environments_max * kMemoryMbMean;
      ASSERT_TRUE(!has_place || !has_memory || counts.serving == schedule_.concurrency_max)
          << "a start waits though there are a slot and room";
    }
  }

  void check() {
    std::map<VersionId, Totals> totals;
    std::size_t idle = 0;
    std::size_t finishing = 0;
    std::uint64_t busy_mb = 0;
    for (const auto& [id, environment] : environments_) {
      const EnvironmentState state = expected_state(environment);
      ASSERT_EQ(dispatcher_.state_of(id), state) << "environment " << static_cast<std::uint64_t>(id);
      ASSERT_EQ(dispatcher_.is_frozen(id), environment.frozen);
      if (environment.frozen) ASSERT_FALSE(environment.invocation) << "frozen while it serves";
      if (state == EnvironmentState::kIdle && !environment.frozen) {
        ASSERT_LT(now_ - environment.idle_since, schedule_.freeze_after) << "idles for long and is not frozen";
      }
      Totals& version = totals[environment.version];
      ++version.environments;
      const bool is_idle = state == EnvironmentState::kIdle || state == EnvironmentState::kReset;
      const bool is_finishing = environment.invocation && (environment.killed || state == EnvironmentState::kAnswered);
      version.idle += is_idle;
      version.reset += state == EnvironmentState::kReset;
      if (!is_idle) busy_mb += memory_of(environment.version);
      idle += is_idle;
      version.finishing += is_finishing;
      finishing += is_finishing;
      version.starting += !environment.invocation && !is_idle;
    }
    std::size_t begun = 0;
    std::size_t waiting = 0;
    for (const auto& [id, invocation] : invocations_) {
      if (invocation.environment) {
        ++begun;
        const bool killed = environments_.at(*invocation.environment).killed;
        ASSERT_TRUE(killed || invocation.deadline > now_) << "runs beyond its deadline";
        continue;
      }
      ++waiting;
      Totals& version = totals[invocation.version];
      ++version.waiting;
      version.overdue += now_ - invocation.invoked >= schedule_.grace;
    }

    const Counts counts = dispatcher_.counts();
    ASSERT_EQ(counts.environments, environments_.size());
    ASSERT_LE(counts.environments, schedule_.environments_max);
    std::uint64_t memory_mb = 0;
    for (const auto& [id, environment] : environments_) memory_mb += memory_of(environment.version);
    ASSERT_LE(memory_mb, schedule_.environments_max * kMemoryMbMean);
    ASSERT_EQ(counts.idle, idle);
    ASSERT_EQ(counts.waiting, waiting);
    ASSERT_LE(counts.serving, schedule_.concurrency_max);
    ASSERT_GE(counts.serving, begun);
    ASSERT_LE(counts.serving - begun, waiting);
    const std::size_t in_grace = waiting - (counts.serving - begun);
    const bool is_full = counts.serving == schedule_.concurrency_max;
    ASSERT_TRUE(in_grace <= finishing || is_full) << "more wait in grace than environments finish";
    if (schedule_.grace == milliseconds(0)) ASSERT_EQ(in_grace, 0U);
    for (const auto& [id, version] : totals) {
      ASSERT_EQ(dispatcher_.environments_of(id), version.environments);
      ASSERT_TRUE(version.waiting <= version.starting + version.finishing + counts.wanted || is_full)
          << "something waits for nothing";
      ASSERT_LE(version.overdue, version.starting + counts.wanted) << "something waits beyond its grace";
      if (version.waiting > 0 && version.idle > version.reset) {
        ASSERT_TRUE(is_full) << "something waits while an environment is idle";
      }
      if (version.idle > 0) ASSERT_TRUE(std::ranges::count(active_, id) == 1 && !draining_) << "should be stopped";
    }
    check_starts(totals, busy_mb);
    if (const auto due = dispatcher_.next_deadline()) ASSERT_GT(*due, now_);
  }

  Schedule schedule_;
  std::mt19937 random_;
  Dispatcher dispatcher_;
  TimePoint now_{std::chrono::hours(1)};
  bool draining_ = false;
  std::map<VersionId, milliseconds> timeouts_;
  std::vector<VersionId> active_;
  Environments environments_;
  std::map<InvocationId, WorldInvocation> invocations_;  // begun and not finished, or waiting
  std::optional<EnvironmentId> expect_delivery_;         // a program restarted for its invocation has polled
  std::uint64_t last_version_ = 0;
  std::uint64_t last_invocation_ = 0;
  std::uint64_t last_environment_ = 0;
  std::uint64_t last_stopped_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t frozen_ = 0;
  std::uint64_t cancelled_ = 0;
  std::uint64_t queued_ = 0;  // steps after which a start waited
};

}  // namespace ogni::dispatch
