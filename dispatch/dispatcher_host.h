// A host with few processors around a dispatcher: programs need processor time to start and to answer, and those that
// run at the same time slow each other. Included by tests only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/dispatcher.h"

namespace ogni::dispatch {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct ProgramCost {
  milliseconds init_sleep{0};  // waits first, for something that is no processor
  milliseconds init_work{0};
  milliseconds handler_work{1};
};

class Host {
 public:
  Host(std::size_t processors, Limits limits) : processors_(processors), dispatcher_(limits) {}

  VersionId add_function(ProgramCost cost, Duration timeout = seconds(3)) {
    const VersionId id{++last_version_};
    costs_[id] = cost;
    dispatcher_.add_version({.id = id, .timeout = timeout});
    return id;
  }
  InvocationId invoke(VersionId version) {
    const InvocationId id{++last_invocation_};
    invoked_[id] = now_;
    dispatcher_.invoke(id, version, now_);
    perform();
    return id;
  }
  void invoke(VersionId version, int times) {
    for (int i = 0; i < times; ++i) invoke(version);
  }
  void end_all_programs() {
    for (auto& [id, environment] : environments_) {
      environment = {.version = environment.version};
      dispatcher_.ended(id, now_);
    }
    perform();
  }

  void pass(Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) tick();
  }
  // How long it took until all were answered, failed or refused.
  Duration run_until_done() {
    const TimePoint begin = now_;
    while (!invoked_.empty() && now_ - begin < std::chrono::hours(1)) tick();
    EXPECT_TRUE(invoked_.empty());
    return now_ - begin;
  }

  int answered() const { return answered_; }
  int failed() const { return failed_; }
  int refused() const { return refused_; }
  std::size_t most_starts() const { return most_starts_; }
  // Between invoke() and the answer.
  Duration latency(InvocationId id) const { return latencies_.at(id); }
  Counts counts() const { return dispatcher_.counts(); }

 private:
  static constexpr milliseconds kTick{5};
  static constexpr milliseconds kIdleNoteEvery{50};

  struct Running {
    VersionId version{};
    enum class Phase { kNone, kInit, kPolls, kHandler } phase = Phase::kNone;
    std::optional<InvocationId> invocation;
    bool killed = false;
    TimePoint sleeps_until;
    std::chrono::duration<double> work{0};
  };

  static bool is_runnable(const Running& each, TimePoint now) {
    const bool works = each.phase == Running::Phase::kInit || each.phase == Running::Phase::kHandler;
    return works && !each.killed && each.sleeps_until <= now;
  }

  void tick() {
    const auto runnable = static_cast<std::size_t>(
        std::ranges::count_if(environments_, [this](const auto& each) { return is_runnable(each.second, now_); }));
    const double share =
        runnable <= processors_ ? 1.0 : static_cast<double>(processors_) / static_cast<double>(runnable);
    now_ += kTick;
    idle_ += processors_ - std::min(processors_, runnable);
    std::vector<EnvironmentId> done;
    for (auto& [id, each] : environments_) {
      if (each.killed) done.push_back(id);
      if (!is_runnable(each, now_ - kTick)) continue;
      each.work -= kTick * share;
      if (each.work.count() <= 0) done.push_back(id);
    }
    for (const EnvironmentId id : done) {
      if (const auto found = environments_.find(id); found != environments_.end()) go_on(id, found->second);
    }
    if (now_ - idle_noted_ >= kIdleNoteEvery) {
      const std::size_t idle = idle_ / static_cast<std::size_t>(kIdleNoteEvery / kTick);
      if (idle > 0) dispatcher_.processors_idle(idle, now_);
      idle_noted_ = now_;
      idle_ = 0;
    }
    dispatcher_.advance(now_);
    perform();
    most_starts_ = std::max(most_starts_, dispatcher_.counts().starts);
  }

  // What it was doing is done.
  void go_on(EnvironmentId id, Running& each) {
    if (each.killed) {
      each = {.version = each.version};
      dispatcher_.ended(id, now_);
    } else if (each.phase == Running::Phase::kInit) {
      each.phase = Running::Phase::kPolls;
      dispatcher_.ready(id, now_);
    } else {
      each.phase = Running::Phase::kPolls;
      ++answered_;
      over(*each.invocation);
      each.invocation.reset();
      dispatcher_.answered(id, now_);
      dispatcher_.ready(id, now_);
    }
    perform();
  }

  void over(InvocationId id) {
    latencies_[id] = now_ - invoked_.at(id);
    invoked_.erase(id);
  }

  void perform() {
    for (const Command& command : dispatcher_.take_commands()) {
      std::visit([this](const auto& each) { carry_out(each); }, command);
    }
  }
  void init(Running& each) {
    const ProgramCost& cost = costs_.at(each.version);
    each.phase = Running::Phase::kInit;
    each.sleeps_until = now_ + cost.init_sleep;
    each.work = cost.init_work;
  }
  void carry_out(const StartEnvironment& c) {
    Running& each = environments_[c.environment] = {.version = c.version};
    init(each);
  }
  void carry_out(const RestartProgram& c) { init(environments_.at(c.environment)); }
  void carry_out(const Deliver& c) {
    Running& each = environments_.at(c.environment);
    each.phase = Running::Phase::kHandler;
    each.invocation = c.invocation;
    each.work = costs_.at(each.version).handler_work;
  }
  void carry_out(const Refuse& c) {
    ++refused_;
    over(c.invocation);
  }
  void carry_out(const FailInvocation& c) {
    ++failed_;
    over(c.invocation);
  }
  void carry_out(const ResetEnvironment& c) {
    Running& each = environments_.at(c.environment);
    each.killed = true;
    each.invocation.reset();
  }
  void carry_out(const StopEnvironment& c) { environments_.erase(c.environment); }
  void carry_out(const FinishInvocation&) {}
  void carry_out(const FreezeEnvironment&) {}
  void carry_out(const ThawEnvironment&) {}

  std::size_t processors_;
  Dispatcher dispatcher_;
  TimePoint now_{std::chrono::hours(1)};
  TimePoint idle_noted_ = now_;
  std::size_t idle_ = 0;  // processors of ticks since then
  std::map<VersionId, ProgramCost> costs_;
  std::map<EnvironmentId, Running> environments_;
  std::map<InvocationId, TimePoint> invoked_;  // and not answered
  std::map<InvocationId, Duration> latencies_;
  std::uint64_t last_version_ = 0;
  std::uint64_t last_invocation_ = 0;
  int answered_ = 0;
  int failed_ = 0;
  int refused_ = 0;
  std::size_t most_starts_ = 0;
};

}  // namespace ogni::dispatch
