// Drives a dispatcher in a test and reads its commands as text. Included by tests only.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "dispatch/dispatcher.h"

namespace ogni::dispatch {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

inline std::string number(auto id) { return std::to_string(static_cast<std::uint64_t>(id)); }

// "deliver 1>7": one word and the ids it carries, so that a test reads as the list of what happened.
struct Print {
  std::string operator()(const StartEnvironment& c) const {
    return "start " + number(c.environment) + " of " + number(c.version);
  }
  std::string operator()(const RestartProgram& c) const {
    return "restart " + number(c.environment) + "<" + number(c.invocation);
  }
  std::string operator()(const Deliver& c) const {
    return "deliver " + number(c.environment) + "<" + number(c.invocation);
  }
  std::string operator()(const Refuse& c) const {
    constexpr const char* kWords[] = {"concurrency", "environments", "starts", "draining", "unknown"};
    return "refuse " + number(c.invocation) + " " + kWords[static_cast<int>(c.refusal)];
  }
  std::string operator()(const FailInvocation& c) const {
    constexpr const char* kWords[] = {"timed out", "program ended", "environment failed"};
    return "fail " + number(c.invocation) + " in " + number(c.environment) + " " + kWords[static_cast<int>(c.failure)];
  }
  std::string operator()(const FinishInvocation& c) const {
    return "finish " + number(c.environment) + "<" + number(c.invocation);
  }
  std::string operator()(const ResetEnvironment& c) const {
    constexpr const char* kWords[] = {"init timed out", "timed out"};
    return "reset " + number(c.environment) + " " + kWords[static_cast<int>(c.reason)];
  }
  std::string operator()(const FreezeEnvironment& c) const { return "freeze " + number(c.environment); }
  std::string operator()(const ThawEnvironment& c) const { return "thaw " + number(c.environment); }
  std::string operator()(const StopEnvironment& c) const {
    constexpr const char* kWords[] = {"idle", "retired", "evicted", "broken", "draining"};
    return "stop " + number(c.environment) + " " + kWords[static_cast<int>(c.reason)];
  }
};

class DispatcherTest : public ::testing::Test {
 protected:
  // Nothing is frozen unless a test wants it.
  void begin(Limits limits, Duration freeze_after = Duration::max()) {
    limits.freeze_after = freeze_after;
    dispatcher_.emplace(limits);
    dispatcher_->add_version({.id = VersionId{1}, .timeout = seconds(3), .init_timeout = seconds(10)});
    dispatcher_->add_version({.id = VersionId{2}, .timeout = seconds(3), .init_timeout = seconds(10)});
  }
  void SetUp() override { begin({}); }

  // What has been commanded since the last call, one per line.
  std::string commands() {
    std::string text;
    for (const Command& command : dispatcher_->take_commands()) {
      if (!text.empty()) text += "; ";
      text += std::visit(Print{}, command);
    }
    return text;
  }
  std::string invoke(std::uint64_t invocation, std::uint64_t version = 1) {
    dispatcher_->invoke(InvocationId{invocation}, VersionId{version}, now_);
    return commands();
  }
  std::string ready(std::uint64_t environment) {
    dispatcher_->ready(EnvironmentId{environment}, now_);
    return commands();
  }
  std::string answered(std::uint64_t environment) {
    dispatcher_->answered(EnvironmentId{environment}, now_);
    return commands();
  }
  std::string ended(std::uint64_t environment) {
    dispatcher_->ended(EnvironmentId{environment}, now_);
    return commands();
  }
  std::string gone(std::uint64_t environment) {
    dispatcher_->gone(EnvironmentId{environment}, now_);
    return commands();
  }
  std::string retire(std::uint64_t version) {
    dispatcher_->retire_version(VersionId{version}, now_);
    return commands();
  }
  std::string drain() {
    dispatcher_->drain(now_);
    return commands();
  }
  std::string pass(Duration time) {
    now_ += time;
    dispatcher_->advance(now_);
    return commands();
  }
  // An environment that has served one invocation and is idle; its cold start took `cold_start`.
  void warm_up(std::uint64_t environment, std::uint64_t version = 1, Duration cold_start = milliseconds(20)) {
    const std::uint64_t invocation = 1000 + environment;
    ASSERT_EQ(invoke(invocation, version), "start " + number(environment) + " of " + number(version));
    pass(cold_start);
    ASSERT_EQ(ready(environment), "deliver " + number(environment) + "<" + number(invocation));
    ASSERT_EQ(answered(environment), "");
    ASSERT_EQ(ready(environment), "finish " + number(environment) + "<" + number(invocation));
  }
  EnvironmentState state(std::uint64_t environment) const {
    return dispatcher_->state_of(EnvironmentId{environment}).value();
  }
  Counts counts() const { return dispatcher_->counts(); }

  std::optional<Dispatcher> dispatcher_;
  TimePoint now_{std::chrono::hours(1)};
};

}  // namespace ogni::dispatch
