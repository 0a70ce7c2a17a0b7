// What fails: init, programs, invocations that take too long, environments.
#include <gtest/gtest.h>

#include "dispatch/dispatcher_fixture.h"

namespace ogni::dispatch {
namespace {

class DispatcherFaults : public DispatcherTest {};

TEST_F(DispatcherFaults, InitThatFailsIsRepeatedInsideTheInvocation) {
  invoke(7);
  pass(seconds(1));
  EXPECT_EQ(ended(1), "restart 1<7");
  EXPECT_EQ(state(1), EnvironmentState::kRestarting);
  EXPECT_EQ(counts().waiting, 0U);
  pass(seconds(1));
  dispatcher_->ready(EnvironmentId{1}, now_);
  const auto taken = dispatcher_->take_commands();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(std::get<Deliver>(taken[0]).deadline, now_ + seconds(2)) << "the function's timeout runs since the restart";
  answered(1);
  EXPECT_EQ(ready(1), "finish 1<7");
}

TEST_F(DispatcherFaults, InitThatFailsTwiceFailsTheInvocationAndTheNextOneTriesAgain) {
  invoke(7);
  ended(1);
  EXPECT_EQ(ended(1), "fail 7 in 1 program ended; finish 1<7");
  EXPECT_EQ(state(1), EnvironmentState::kReset);
  EXPECT_EQ(counts().idle, 1U);
  EXPECT_EQ(invoke(8), "restart 1<8");
  EXPECT_EQ(ready(1), "deliver 1<8");
}

TEST_F(DispatcherFaults, InitThatFailsServesTheNextInQueueAfterTheFirstFailedWithIt) {
  invoke(7);
  invoke(8);
  EXPECT_EQ(ended(1), "restart 1<7");
  EXPECT_EQ(ended(1), "fail 7 in 1 program ended; finish 1<7; restart 1<8");
  EXPECT_EQ(ended(1), "fail 8 in 1 program ended; finish 1<8");
  EXPECT_EQ(ended(2), "stop 2 broken") << "nothing waits for it";
}

TEST_F(DispatcherFaults, InitThatNeverPollsIsKilledAndRepeatedInsideTheInvocation) {
  invoke(7);
  EXPECT_EQ(pass(seconds(10)), "reset 1 init timed out");
  EXPECT_EQ(counts().waiting, 1U);
  EXPECT_EQ(counts().serving, 1U);
  EXPECT_EQ(ready(1), "") << "too late";
  EXPECT_EQ(ended(1), "restart 1<7");
  EXPECT_EQ(pass(seconds(3)), "fail 7 in 1 timed out; reset 1 timed out");
  EXPECT_EQ(ended(1), "finish 1<7");
  EXPECT_EQ(state(1), EnvironmentState::kReset);
}

TEST_F(DispatcherFaults, AnEnvironmentWhoseInitCannotBeEndedIsReplacedOnce) {
  invoke(7);
  pass(seconds(10));
  EXPECT_EQ(pass(seconds(2)), "stop 1 broken; start 2 of 1");
  EXPECT_EQ(ended(1), "") << "too late";
  EXPECT_EQ(pass(seconds(10)), "reset 2 init timed out");
  EXPECT_EQ(pass(seconds(2)), "fail 7 in 2 environment failed; stop 2 broken");
  EXPECT_EQ(counts().serving, 0U);
  EXPECT_EQ(counts().environments, 0U);
}

TEST_F(DispatcherFaults, TheInvocationFailsIfItsEnvironmentCannotBeMade) {
  invoke(7);
  EXPECT_EQ(gone(1), "fail 7 in 1 environment failed");
  EXPECT_EQ(counts().environments, 0U);
  EXPECT_EQ(counts().serving, 0U);
  EXPECT_EQ(invoke(8), "start 2 of 1");
}

TEST_F(DispatcherFaults, AStartThatNobodyNeedsMayBeLost) {
  begin({.reuse_grace_max = milliseconds(0)});
  warm_up(1);
  invoke(1);
  invoke(2);
  answered(1);
  EXPECT_EQ(ready(1), "finish 1<1; deliver 1<2");
  EXPECT_EQ(gone(2), "");
  EXPECT_EQ(state(1), EnvironmentState::kBusy);
}

TEST_F(DispatcherFaults, AProgramThatEndsFailsItsInvocationAndIsStartedForTheNext) {
  warm_up(1);
  invoke(7);
  EXPECT_EQ(ended(1), "fail 7 in 1 program ended; finish 1<7");
  EXPECT_EQ(invoke(8), "restart 1<8");
}

TEST_F(DispatcherFaults, AProgramThatEndsAfterItsAnswerFailsNothing) {
  warm_up(1);
  invoke(7);
  answered(1);
  EXPECT_EQ(invoke(8), "");
  EXPECT_EQ(ended(1), "finish 1<7; restart 1<8");
}

TEST_F(DispatcherFaults, AProgramThatEndsWhileIdleIsStartedForTheNextInvocation) {
  warm_up(1);
  EXPECT_EQ(ended(1), "");
  EXPECT_EQ(state(1), EnvironmentState::kReset);
  EXPECT_EQ(invoke(7), "restart 1<7");
}

TEST_F(DispatcherFaults, AnEnvironmentWithAProgramIsPreferredToOneWithout) {
  invoke(1);
  invoke(2);
  ready(1);
  ready(2);
  answered(1);
  answered(2);
  ready(1);
  ready(2);
  ended(2);
  EXPECT_EQ(invoke(7), "deliver 1<7");
  EXPECT_EQ(invoke(8), "restart 2<8");
}

TEST_F(DispatcherFaults, AResetEnvironmentIsReapedLikeAnIdleOneFromItsLastUse) {
  warm_up(1);
  pass(minutes(6));
  ended(1);
  EXPECT_EQ(pass(minutes(4)), "stop 1 idle");
}

TEST_F(DispatcherFaults, AnInvocationThatTakesTooLongFailsAtOnceAndIsFinishedWhenItsProcessesAreGone) {
  warm_up(1);
  invoke(7);
  EXPECT_EQ(pass(seconds(3) - milliseconds(1)), "");
  EXPECT_EQ(pass(milliseconds(1)), "fail 7 in 1 timed out; reset 1 timed out");
  EXPECT_EQ(counts().serving, 1U);
  EXPECT_EQ(answered(1), "") << "too late";
  EXPECT_EQ(ended(1), "finish 1<7");
  EXPECT_EQ(counts().serving, 0U);
  EXPECT_EQ(invoke(8), "restart 1<8");
}

TEST_F(DispatcherFaults, TheNextInvocationWaitsForAnEnvironmentThatIsBeingResetAsForOneThatAnswered) {
  warm_up(1);
  invoke(7);
  pass(seconds(3));
  EXPECT_EQ(invoke(8), "");
  EXPECT_EQ(ended(1), "finish 1<7; restart 1<8");
}

TEST_F(DispatcherFaults, TheTimeoutRunsOnAfterTheAnswer) {
  warm_up(1);
  invoke(7);
  answered(1);
  EXPECT_EQ(pass(seconds(3)), "reset 1 timed out");
  EXPECT_EQ(ended(1), "finish 1<7");
  EXPECT_EQ(state(1), EnvironmentState::kReset);
}

TEST_F(DispatcherFaults, AnEnvironmentThatCannotBeResetIsDiscarded) {
  warm_up(1);
  invoke(7);
  pass(seconds(3));
  EXPECT_EQ(pass(seconds(2)), "finish 1<7; stop 1 broken");
  EXPECT_EQ(counts().environments, 0U);
  EXPECT_EQ(counts().serving, 0U);
}

TEST_F(DispatcherFaults, WhoWaitsInGraceForAnEnvironmentThatIsLostGetsAStart) {
  warm_up(1);
  invoke(7);
  answered(1);
  invoke(8);
  EXPECT_EQ(gone(1), "finish 1<7; start 2 of 1");
  EXPECT_EQ(ready(2), "deliver 2<8");
}

TEST_F(DispatcherFaults, AnEnvironmentThatIsGoneFailsWhatItHadNotAnswered) {
  warm_up(1);
  invoke(7);
  EXPECT_EQ(gone(1), "fail 7 in 1 environment failed; finish 1<7");
  EXPECT_EQ(dispatcher_->state_of(EnvironmentId{1}), std::nullopt);
  warm_up(2);
  EXPECT_EQ(gone(2), "");
  EXPECT_EQ(invoke(8), "start 3 of 1");
}

TEST_F(DispatcherFaults, ReportsThatMakeNoSenseChangeNothing) {
  warm_up(1);
  EXPECT_EQ(ready(1), "");
  EXPECT_EQ(answered(1), "");
  EXPECT_EQ(ready(99), "");
  EXPECT_EQ(answered(99), "");
  EXPECT_EQ(ended(99), "");
  EXPECT_EQ(gone(99), "");
  invoke(7);
  EXPECT_EQ(ready(1), "") << "polls the same event again";
  EXPECT_EQ(state(1), EnvironmentState::kBusy);
  EXPECT_EQ(counts().environments, 1U);
}

TEST_F(DispatcherFaults, AClockThatGoesBackDoesNoHarm) {
  warm_up(1);
  now_ -= minutes(30);
  EXPECT_EQ(invoke(7), "deliver 1<7");
  EXPECT_EQ(pass(seconds(5)), "");
  EXPECT_EQ(pass(minutes(30)), "fail 7 in 1 timed out; reset 1 timed out");
}

}  // namespace
}  // namespace ogni::dispatch
