// Starts that share few processors: how many begin at once, whose turn it is, and what becomes of those that wait.
#include <gtest/gtest.h>

#include "dispatch/dispatcher_fixture.h"
#include "dispatch/dispatcher_host.h"

namespace ogni::dispatch {
namespace {

class DispatcherStarts : public DispatcherTest {
 protected:
  std::string cancel(std::uint64_t invocation, std::uint64_t version = 1) {
    const bool was_waiting = dispatcher_->cancel(InvocationId{invocation}, VersionId{version}, now_);
    const std::string then = commands();
    return (was_waiting ? "cancelled" : "not cancelled") + (then.empty() ? "" : "; " + then);
  }
  std::string idle(std::size_t processors) {
    dispatcher_->processors_idle(processors, now_);
    return commands();
  }
};

TEST_F(DispatcherStarts, NoMoreBeginThanMayAndTheNextWhenOneIsReady) {
  begin({.starts_max = 2});
  EXPECT_EQ(invoke(1), "start 1 of 1");
  EXPECT_EQ(invoke(2), "start 2 of 1");
  EXPECT_EQ(invoke(3), "");
  EXPECT_EQ(counts().starts, 2U);
  EXPECT_EQ(counts().wanted, 1U);
  EXPECT_EQ(counts().serving, 3U) << "it is not queued behind the concurrency limit";
  EXPECT_EQ(ready(2), "deliver 2<1; start 3 of 1");
}

TEST_F(DispatcherStarts, WhatWaitsForAStartIsServedByWhicheverEnvironmentIsFreeFirst) {
  begin({.starts_max = 1});
  invoke(1);
  invoke(2);
  EXPECT_EQ(ready(1), "deliver 1<1; start 2 of 1");
  EXPECT_EQ(invoke(3), "");
  answered(1);
  EXPECT_EQ(ready(1), "finish 1<1; deliver 1<2");
  answered(1);
  EXPECT_EQ(ready(1), "finish 1<2; deliver 1<3") << "the third start never had to begin";
  EXPECT_EQ(counts().wanted, 0U);
  EXPECT_EQ(ready(2), "");
}

TEST_F(DispatcherStarts, AStartThatWaitsHasNoInitLimitYet) {
  begin({.starts_max = 1});
  invoke(1);
  invoke(2);
  pass(seconds(9));
  EXPECT_EQ(ready(1), "deliver 1<1; start 2 of 1");
  EXPECT_EQ(pass(seconds(3)), "fail 1 in 1 timed out; reset 1 timed out");
  EXPECT_EQ(pass(milliseconds(1)), "");
  EXPECT_EQ(ended(1), "finish 1<1") << "no slot: its program is not started again while another start runs";
  EXPECT_EQ(ready(2), "deliver 2<2");
}

TEST_F(DispatcherStarts, TurnsGoRoundByVersion) {
  begin({.starts_max = 1, .starts_reserve = 0});
  EXPECT_EQ(invoke(1), "start 1 of 1");
  invoke(2);
  invoke(3);
  EXPECT_EQ(invoke(4, 2), "");
  EXPECT_EQ(invoke(5, 2), "");
  EXPECT_EQ(ready(1), "deliver 1<1; start 2 of 1");
  EXPECT_EQ(ready(2), "deliver 2<2; start 3 of 2");
  EXPECT_EQ(ready(3), "deliver 3<4; start 4 of 1");
  EXPECT_EQ(ready(4), "deliver 4<3; start 5 of 2");
}

TEST_F(DispatcherStarts, AVersionWithoutAStartDoesNotWaitForTheBurstOfAnother) {
  begin({.starts_max = 1});
  dispatcher_->add_version({.id = VersionId{3}});
  invoke(1);
  invoke(2);
  EXPECT_EQ(invoke(3, 2), "start 2 of 2");
  EXPECT_EQ(invoke(4, 2), "") << "that was the reserve";
  EXPECT_EQ(invoke(5, 3), "");
  EXPECT_EQ(ready(2), "deliver 2<3; start 3 of 2");
  EXPECT_EQ(ready(3), "deliver 3<4; start 4 of 3");
}

TEST_F(DispatcherStarts, AProgramThatIsStartedAgainWaitsForASlotToo) {
  warm_up(1);
  ended(1);
  begin({.starts_max = 1});
  warm_up(1);
  invoke(1);
  invoke(2);
  EXPECT_EQ(ended(1), "fail 1 in 1 program ended; finish 1<1") << "invocation 2 waits for the start of 2";
  EXPECT_EQ(invoke(3), "");
  EXPECT_EQ(ready(2), "deliver 2<2; restart 1<3");
}

TEST_F(DispatcherStarts, AnInitThatFailsIsRepeatedAfterTheStartsWhoseTurnItIs) {
  begin({.starts_max = 1, .starts_reserve = 0});
  invoke(1);
  invoke(2, 2);
  EXPECT_EQ(pass(seconds(10)), "reset 1 init timed out; start 2 of 2");
  EXPECT_EQ(ended(1), "");
  EXPECT_EQ(state(1), EnvironmentState::kReset);
  EXPECT_EQ(ready(2), "deliver 2<2; restart 1<1");
}

TEST_F(DispatcherStarts, AnInitThatTimesOutBesideOthersIsNotHeldAgainstItsInvocation) {
  begin({.starts_max = 2});
  invoke(1);
  invoke(2);
  EXPECT_EQ(pass(seconds(10)), "reset 1 init timed out; reset 2 init timed out");
  EXPECT_EQ(ended(1), "stop 1 broken; start 3 of 1");
  EXPECT_EQ(ended(2), "stop 2 broken") << "only one at a time now";
  EXPECT_EQ(pass(seconds(10)), "reset 3 init timed out; start 4 of 1") << "it had the processors for itself";
  EXPECT_EQ(ready(4), "deliver 4<1");
  EXPECT_EQ(ended(3), "restart 3<2");
}

TEST_F(DispatcherStarts, AsManyAsBeforeBeginAtOnceWhenNothingWaitsForAStartAnyMore) {
  begin({.starts_max = 2});
  invoke(1);
  invoke(2);
  pass(seconds(10));
  ended(1);
  ended(2);
  ready(3);
  EXPECT_EQ(ready(4), "deliver 4<2");
  EXPECT_EQ(invoke(3), "start 5 of 1");
  EXPECT_EQ(invoke(4), "start 6 of 1");
}

TEST_F(DispatcherStarts, AnInitThatTimesOutWhileProcessorsAreIdleIsRepeatedInsideTheInvocation) {
  begin({.starts_max = 2, .start_slot_max = minutes(1)});
  invoke(1);
  invoke(2);
  pass(seconds(9));
  pass(milliseconds(500));
  EXPECT_EQ(idle(1), "");
  pass(milliseconds(500));
  EXPECT_EQ(ended(1), "restart 1<1");
  EXPECT_EQ(ended(2), "restart 2<2");
}

TEST_F(DispatcherStarts, IdleProcessorsLetFurtherStartsBeginUpToABound) {
  begin({.starts_max = 1});
  for (std::uint64_t i = 1; i <= 6; ++i) invoke(i);
  EXPECT_EQ(idle(2), "start 2 of 1; start 3 of 1");
  EXPECT_EQ(idle(2), "start 4 of 1");
  EXPECT_EQ(idle(2), "");
  EXPECT_EQ(ready(2), "deliver 2<1");
  EXPECT_EQ(idle(1), "start 5 of 1");
  EXPECT_EQ(invoke(7, 2), "start 6 of 2") << "those do not take the reserve";
}

TEST_F(DispatcherStarts, AStartThatTakesVeryLongDoesNotKeepOthersOut) {
  begin({.starts_max = 1, .starts_reserve = 0});
  dispatcher_->add_version({.id = VersionId{3}, .timeout = minutes(15)});
  invoke(1, 3);
  EXPECT_EQ(ended(1), "restart 1<1") << "limited by the timeout of its function only";
  EXPECT_EQ(invoke(2), "");
  EXPECT_EQ(pass(seconds(10) - milliseconds(1)), "");
  EXPECT_EQ(pass(milliseconds(1)), "start 2 of 1");
  EXPECT_EQ(counts().starts, 1U);
}

TEST_F(DispatcherStarts, WaitingForAStartIsBounded) {
  begin({.starts_max = 1, .start_wait_max = seconds(7)});
  invoke(1);
  pass(seconds(1));
  invoke(2);
  EXPECT_EQ(pass(seconds(6)), "refuse 1 starts");
  EXPECT_EQ(pass(seconds(1)), "refuse 2 starts");
  EXPECT_EQ(counts().waiting, 0U);
  EXPECT_EQ(counts().serving, 0U);
  EXPECT_EQ(ready(1), "") << "the start goes on, for the next";
  EXPECT_EQ(invoke(3), "deliver 1<3");
}

TEST_F(DispatcherStarts, ACallerThatIsGoneFreesItsPlace) {
  begin({.concurrency_max = 2, .starts_max = 1});
  invoke(1);
  invoke(2);
  EXPECT_EQ(invoke(3), "refuse 3 concurrency");
  EXPECT_EQ(cancel(2), "cancelled");
  EXPECT_EQ(counts().wanted, 0U);
  EXPECT_EQ(invoke(4), "");
  EXPECT_EQ(cancel(9), "not cancelled");
  EXPECT_EQ(cancel(9, 9), "not cancelled");
  EXPECT_EQ(ready(1), "deliver 1<1; start 2 of 1");
  EXPECT_EQ(cancel(1), "not cancelled") << "it has begun";
  EXPECT_EQ(cancel(4), "cancelled");
  EXPECT_EQ(ready(2), "");
}

TEST_F(DispatcherStarts, ACallerThatIsGoneIsNotWaitedForByAFinishingEnvironment) {
  warm_up(1);
  invoke(1);
  answered(1);
  invoke(2);  // in grace
  EXPECT_EQ(cancel(2), "cancelled");
  EXPECT_EQ(pass(milliseconds(100)), "");
  EXPECT_EQ(ready(1), "finish 1<1");
}

TEST_F(DispatcherStarts, WantedStartsCountAgainstTheEnvironmentLimit) {
  begin({.environments_max = 2, .starts_max = 1});
  invoke(1);
  invoke(2);
  EXPECT_EQ(invoke(3), "refuse 3 environments");
}

TEST_F(DispatcherStarts, WantedStartsCountAgainstTheMemoryLimitAndIdleOnesGiveWayOnlyWhenTheyBegin) {
  begin({.memory_mb_max = 1000, .starts_max = 1, .starts_reserve = 0});
  dispatcher_->add_version({.id = VersionId{3}, .memory_mb = 400});
  dispatcher_->add_version({.id = VersionId{4}, .memory_mb = 600});
  invoke(1, 3);
  ready(1);
  answered(1);
  ready(1);  // idle
  invoke(2, 1);
  EXPECT_EQ(invoke(3, 4), "");
  EXPECT_EQ(invoke(4, 4), "refuse 4 environments");
  EXPECT_EQ(counts().idle, 1U);
  EXPECT_EQ(invoke(5, 3), "deliver 1<5") << "there is just enough for both";
  EXPECT_EQ(ready(2), "deliver 2<2; start 3 of 4");
}

TEST_F(DispatcherStarts, AStartWhoseRoomWasTakenMeanwhileWaitsUntilThereIsRoom) {
  begin({.memory_mb_max = 1000, .starts_max = 1, .starts_reserve = 0});
  dispatcher_->add_version({.id = VersionId{3}, .memory_mb = 400});
  dispatcher_->add_version({.id = VersionId{4}, .memory_mb = 700});
  invoke(1, 3);
  ready(1);
  answered(1);
  ready(1);  // idle
  invoke(2, 1);
  EXPECT_EQ(invoke(3, 4), "");
  EXPECT_EQ(invoke(4, 3), "deliver 1<4");
  EXPECT_EQ(ready(2), "deliver 2<2") << "no room for 700 MB beside 400 MB that are busy";
  answered(1);
  EXPECT_EQ(ready(1), "finish 1<4; stop 1 evicted; start 3 of 4");
}

TEST_F(DispatcherStarts, ARetiredVersionIsKeptUntilWhatWaitsForItsStartIsServed) {
  begin({.starts_max = 1, .starts_reserve = 0});
  invoke(1, 2);
  invoke(2);
  EXPECT_EQ(retire(1), "");
  EXPECT_EQ(ready(1), "deliver 1<1; start 2 of 1");
  EXPECT_EQ(ready(2), "deliver 2<2");
  answered(2);
  EXPECT_EQ(ready(2), "finish 2<2; stop 2 retired");
  EXPECT_EQ(invoke(3), "refuse 3 unknown");
}

TEST_F(DispatcherStarts, ARetiredVersionIsForgottenWithTheLastThatGaveUp) {
  begin({.starts_max = 1, .starts_reserve = 0});
  invoke(1, 2);
  invoke(2);
  retire(1);
  EXPECT_EQ(cancel(2), "cancelled");
  EXPECT_EQ(invoke(3), "refuse 3 unknown");
}

TEST_F(DispatcherStarts, DrainingServesWhatWaitsForAStart) {
  begin({.starts_max = 1});
  invoke(1);
  invoke(2);
  EXPECT_EQ(drain(), "");
  EXPECT_EQ(ready(1), "deliver 1<1; start 2 of 1");
  EXPECT_EQ(ready(2), "deliver 2<2");
}

// ---------------------------------------------------------------- on a host with two processors

constexpr Limits kTwoProcessors{.starts_max = 4, .starts_reserve = 2};
constexpr ProgramCost kSlow{.init_work = milliseconds(600)};

TEST(StartsOnAHost, WithoutABoundABurstOfSlowStartersFailsAsAWhole) {
  Host host(2, {});
  host.invoke(host.add_function(kSlow), 50);
  host.run_until_done();
  EXPECT_EQ(host.answered(), 0) << "the model shows no fault, so the tests below show nothing";
}

TEST(StartsOnAHost, ABurstOfSlowStartersSucceedsAsAWholeAndInNoMoreTimeThanTheWorkNeeds) {
  for (const int burst : {20, 50, 100, 200}) {
    Host host(2, kTwoProcessors);
    host.invoke(host.add_function(kSlow), burst);
    const Duration time = host.run_until_done();
    EXPECT_EQ(host.answered(), burst);
    EXPECT_LE(host.most_starts(), 4U);
    EXPECT_LE(time, burst * milliseconds(330) + seconds(1));
  }
}

TEST(StartsOnAHost, OnesThatNeedNearlyTheWholeInitLimitSucceed) {
  Host host(2, kTwoProcessors);
  host.invoke(host.add_function({.init_work = seconds(8)}), 12);
  host.run_until_done();
  EXPECT_EQ(host.answered(), 12);
}

TEST(StartsOnAHost, ProgramsThatWereStartedBeforeAndEndedAreStartedAgainWithinTheTimeout) {
  Host host(2, kTwoProcessors);
  const VersionId function = host.add_function(kSlow);
  host.invoke(function, 50);
  host.run_until_done();
  host.end_all_programs();
  host.invoke(function, 50);
  host.run_until_done();
  EXPECT_EQ(host.answered(), 100);
}

TEST(StartsOnAHost, StartsThatOnlyWaitAreNotHeldUpByProcessorsThatNobodyUses) {
  Host host(2, kTwoProcessors);
  host.invoke(host.add_function({.init_sleep = seconds(2), .init_work = milliseconds(10)}), 50);
  EXPECT_LE(host.run_until_done(), seconds(9));
  EXPECT_EQ(host.answered(), 50);
}

TEST(StartsOnAHost, StartsThatWaitFirstAndAllWorkLaterSucceed) {
  for (const auto work : {milliseconds(600), milliseconds(2000)}) {
    Host host(2, kTwoProcessors);
    host.invoke(host.add_function({.init_sleep = seconds(2), .init_work = work}), 50);
    host.run_until_done();
    EXPECT_EQ(host.answered(), 50);
  }
}

TEST(StartsOnAHost, AColdStartOfAnotherFunctionDoesNotWaitBehindABurst) {
  Host host(2, kTwoProcessors);
  host.invoke(host.add_function(kSlow), 100);
  for (int i = 0; i < 5; ++i) {
    host.pass(seconds(1));
    const InvocationId one = host.invoke(host.add_function({.init_work = milliseconds(50)}));
    host.pass(seconds(1));
    EXPECT_LE(host.latency(one), milliseconds(200)) << "50 ms of work beside 4 others on 2 processors";
  }
  host.run_until_done();
  EXPECT_EQ(host.failed() + host.refused(), 0);
}

TEST(StartsOnAHost, AFunctionWhoseInitIsSlowByItselfTimesOutOnceAndIsRepeatedInsideTheInvocation) {
  for (const int burst : {1, 5}) {
    Host host(2, kTwoProcessors);
    host.invoke(host.add_function({.init_sleep = seconds(15)}, seconds(30)), burst);
    const Duration time = host.run_until_done();
    EXPECT_EQ(host.answered(), burst);
    EXPECT_GE(time, seconds(25));
    EXPECT_LE(time, seconds(26)) << "10 s of init and 15 s inside the invocation";
  }
}

TEST(StartsOnAHost, AFunctionWhoseInitIsTooSlowForItsTimeoutFailsByThat) {
  Host host(2, kTwoProcessors);
  const VersionId function = host.add_function({.init_sleep = seconds(15)});
  const InvocationId one = host.invoke(function);
  host.run_until_done();
  EXPECT_EQ(host.failed(), 1);
  EXPECT_GE(host.latency(one), seconds(13));
  EXPECT_LE(host.latency(one), seconds(13) + milliseconds(20));
}

}  // namespace
}  // namespace ogni::dispatch
