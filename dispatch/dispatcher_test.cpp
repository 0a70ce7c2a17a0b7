// How invocations find environments.
#include "dispatch/dispatcher.h"

#include <gtest/gtest.h>

#include "dispatch/dispatcher_fixture.h"

namespace ogni::dispatch {
namespace {

TEST_F(DispatcherTest, StartsAnEnvironmentAndDeliversWhenItsProgramAsks) {
  EXPECT_EQ(invoke(7), "start 1 of 1");
  EXPECT_EQ(counts().waiting, 1U);
  EXPECT_EQ(counts().serving, 1U);
  EXPECT_EQ(ready(1), "deliver 1<7");
  EXPECT_EQ(counts().waiting, 0U);
  EXPECT_EQ(answered(1), "");
  EXPECT_EQ(state(1), EnvironmentState::kAnswered);
  EXPECT_EQ(counts().serving, 1U);
  EXPECT_EQ(ready(1), "finish 1<7");
  EXPECT_EQ(counts().idle, 1U);
  EXPECT_EQ(counts().serving, 0U);
}

TEST_F(DispatcherTest, DeadlineRunsFromDeliveryNotFromTheColdStart) {
  invoke(7);
  pass(seconds(9));
  dispatcher_->ready(EnvironmentId{1}, now_);
  const auto taken = dispatcher_->take_commands();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(std::get<Deliver>(taken[0]).deadline, now_ + seconds(3));
  EXPECT_EQ(dispatcher_->next_deadline(), now_ + seconds(3));
}

TEST_F(DispatcherTest, ReusesTheMostRecentlyUsedEnvironment) {
  invoke(1);
  invoke(2);
  ready(1);
  ready(2);
  answered(1);
  answered(2);
  ready(2);
  ready(1);
  EXPECT_EQ(invoke(3), "deliver 1<3");
  EXPECT_EQ(invoke(4), "deliver 2<4");
}

TEST_F(DispatcherTest, AnEnvironmentServesOnlyItsVersion) {
  warm_up(1, 1);
  EXPECT_EQ(invoke(5, 2), "start 2 of 2");
}

TEST_F(DispatcherTest, RefusesAnUnknownVersion) { EXPECT_EQ(invoke(5, 99), "refuse 5 unknown"); }

TEST_F(DispatcherTest, ASequentialCallerThatOvertakesThePollWaitsForTheSameEnvironment) {
  warm_up(1);
  for (std::uint64_t i = 1; i <= 100; ++i) {
    EXPECT_EQ(invoke(2 * i), "deliver 1<" + number(2 * i));
    answered(1);
    EXPECT_EQ(invoke(2 * i + 1), "");
    EXPECT_EQ(ready(1), "finish 1<" + number(2 * i) + "; deliver 1<" + number(2 * i + 1));
    answered(1);
    EXPECT_EQ(ready(1), "finish 1<" + number(2 * i + 1));
  }
  EXPECT_EQ(counts().environments, 1U);
}

TEST_F(DispatcherTest, WithoutGraceAnAnsweredEnvironmentIsNotWaitedFor) {
  begin({.reuse_grace_max = milliseconds(0)});
  warm_up(1);
  invoke(1);
  answered(1);
  EXPECT_EQ(invoke(2), "start 2 of 1");
}

TEST_F(DispatcherTest, GraceIsTheLastColdStartIfThatIsShorter) {
  warm_up(1, 1, milliseconds(40));
  invoke(1);
  answered(1);
  EXPECT_EQ(invoke(2), "");
  EXPECT_EQ(dispatcher_->next_deadline(), now_ + milliseconds(40));
  EXPECT_EQ(pass(milliseconds(39)), "");
  EXPECT_EQ(pass(milliseconds(1)), "start 2 of 1");
}

TEST_F(DispatcherTest, GraceIsNotShorterThanABusySchedulerNeeds) {
  warm_up(1, 1, milliseconds(3));
  invoke(1);
  answered(1);
  EXPECT_EQ(invoke(2), "");
  EXPECT_EQ(dispatcher_->next_deadline(), now_ + kReuseGraceFloor);
}

TEST_F(DispatcherTest, ASettingBelowTheFloorHolds) {
  begin({.reuse_grace_max = milliseconds(5)});
  warm_up(1, 1, milliseconds(3));
  invoke(1);
  answered(1);
  EXPECT_EQ(invoke(2), "");
  EXPECT_EQ(dispatcher_->next_deadline(), now_ + milliseconds(5));
}

TEST_F(DispatcherTest, GraceIsBoundedHoweverLongAColdStartTakes) {
  warm_up(1, 1, seconds(2));
  invoke(1);
  answered(1);
  invoke(2);
  EXPECT_EQ(dispatcher_->next_deadline(), now_ + milliseconds(50));
}

TEST_F(DispatcherTest, OneInvocationWaitsForAnAnsweredEnvironmentAndTheNextStartsItsOwn) {
  warm_up(1);
  invoke(1);
  answered(1);
  EXPECT_EQ(invoke(2), "");
  EXPECT_EQ(invoke(3), "start 2 of 1");
}

TEST_F(DispatcherTest, TheOldestIsServedFirstWhicheverEnvironmentBecomesFree) {
  warm_up(1);
  invoke(1);
  answered(1);
  invoke(2);  // in grace
  invoke(3);  // for a start
  EXPECT_EQ(ready(2), "deliver 2<2");
  EXPECT_EQ(ready(1), "finish 1<1; deliver 1<3");
}

TEST_F(DispatcherTest, AGraceThatWasSwappedEndsWhenThatOfTheOlderOneWouldHave) {
  warm_up(1);
  invoke(1);
  answered(1);
  invoke(2);
  pass(milliseconds(15));
  invoke(3);
  ready(2);
  EXPECT_EQ(pass(milliseconds(5)), "start 3 of 1");
}

TEST_F(DispatcherTest, AStartThatIsNotNeededAnyMoreServesTheNextInvocation) {
  begin({.reuse_grace_max = milliseconds(0)});
  warm_up(1);
  invoke(1);
  EXPECT_EQ(invoke(2), "start 2 of 1");
  answered(1);
  EXPECT_EQ(ready(1), "finish 1<1; deliver 1<2");
  EXPECT_EQ(invoke(3), "");
  EXPECT_EQ(ready(2), "deliver 2<3");
}

TEST_F(DispatcherTest, AnEnvironmentWhoseInvocationWentElsewhereIsIdle) {
  begin({.reuse_grace_max = milliseconds(0)});
  warm_up(1);
  invoke(1);
  invoke(2);
  answered(1);
  ready(1);
  EXPECT_EQ(ready(2), "");
  EXPECT_EQ(state(2), EnvironmentState::kIdle);
}

TEST_F(DispatcherTest, RefusesAtTheConcurrencyLimit) {
  begin({.concurrency_max = 2});
  invoke(1);
  EXPECT_EQ(invoke(2, 2), "start 2 of 2");
  EXPECT_EQ(invoke(3), "refuse 3 concurrency");
  ready(1);
  EXPECT_EQ(invoke(4), "refuse 4 concurrency");
}

TEST_F(DispatcherTest, AtTheConcurrencyLimitAnInvocationWaitsForAnAnsweredEnvironmentButNotLonger) {
  begin({.concurrency_max = 1});
  warm_up(1);
  invoke(1);
  EXPECT_EQ(invoke(2), "refuse 2 concurrency");
  answered(1);
  EXPECT_EQ(invoke(3), "");
  EXPECT_EQ(invoke(4), "refuse 4 concurrency");
  EXPECT_EQ(pass(milliseconds(20)), "refuse 3 concurrency");
  EXPECT_EQ(ready(1), "finish 1<1");
}

TEST_F(DispatcherTest, WhoWaitsOnlyForTheConcurrencyLimitIsServedAsSoonAsAnyFunctionIsDone) {
  begin({.concurrency_max = 2});
  warm_up(1);
  invoke(1);
  invoke(2);
  pass(milliseconds(20));
  ready(2);
  answered(2);
  ready(2);                                 // 1 busy, 2 idle
  EXPECT_EQ(invoke(3, 2), "start 3 of 2");  // the limit is reached
  answered(1);
  EXPECT_EQ(invoke(4), "");
  EXPECT_EQ(gone(3), "fail 3 in 3 environment failed; deliver 2<4");
}

TEST_F(DispatcherTest, AnInvocationWhoseFinishingEnvironmentIsLostTakesAnIdleOneBeforeAStart) {
  begin({.concurrency_max = 2});
  warm_up(1);
  invoke(1);
  invoke(2);
  pass(milliseconds(20));
  ready(2);
  answered(2);
  ready(2);
  invoke(3, 2);
  answered(1);
  invoke(4);
  EXPECT_EQ(gone(1), "finish 1<1; deliver 2<4");
}

TEST_F(DispatcherTest, AtTheEnvironmentLimitTheLeastRecentlyUsedIdleOneIsGivenUp) {
  begin({.environments_max = 2});
  warm_up(1, 1);
  dispatcher_->add_version({.id = VersionId{3}});
  warm_up(2, 2);
  EXPECT_EQ(invoke(1, 1), "deliver 1<1");
  answered(1);
  ready(1);
  EXPECT_EQ(invoke(2, 3), "stop 2 evicted; start 3 of 3");
  EXPECT_EQ(invoke(3, 2), "stop 1 evicted; start 4 of 2");
  EXPECT_EQ(invoke(4, 1), "refuse 4 environments");
}

TEST_F(DispatcherTest, AtTheMemoryLimitIdleEnvironmentsGiveWayAndNoneInVain) {
  begin({.memory_mb_max = 1000});
  dispatcher_->add_version({.id = VersionId{3}, .memory_mb = 400});
  dispatcher_->add_version({.id = VersionId{4}, .memory_mb = 700});
  dispatcher_->add_version({.id = VersionId{5}, .memory_mb = 1001});
  EXPECT_EQ(invoke(1, 3), "start 1 of 3");
  ready(1);
  EXPECT_EQ(invoke(2, 3), "start 2 of 3");
  EXPECT_EQ(invoke(3, 4), "refuse 3 environments");  // both are busy
  ready(2);
  answered(1);
  ready(1);
  EXPECT_EQ(invoke(4, 4), "refuse 4 environments");  // the idle one would not do
  EXPECT_EQ(counts().idle, 1U);
  answered(2);
  ready(2);
  EXPECT_EQ(invoke(5, 4), "stop 1 evicted; stop 2 evicted; start 3 of 4");
  EXPECT_EQ(invoke(6, 3), "refuse 6 environments");
  EXPECT_EQ(invoke(7, 5), "refuse 7 environments");
  EXPECT_EQ(invoke(8, 1), "start 4 of 1");
}

TEST_F(DispatcherTest, IdleEnvironmentsAreReapedAndOnlyThose) {
  begin({.idle_max = minutes(10)});
  warm_up(1);
  pass(minutes(4));
  invoke(1);
  EXPECT_EQ(invoke(2), "start 2 of 1");
  ready(2);
  answered(1);
  ready(1);
  answered(2);
  pass(seconds(2));
  ready(2);
  EXPECT_EQ(pass(minutes(10) - seconds(3)), "");
  EXPECT_EQ(pass(seconds(1)), "stop 1 idle");
  EXPECT_EQ(pass(seconds(2)), "stop 2 idle");
  EXPECT_EQ(dispatcher_->next_deadline(), std::nullopt);
}

TEST_F(DispatcherTest, IdleEnvironmentsStayIfTheLimitIsNever) {
  begin({.idle_max = Duration::max()});
  warm_up(1);
  EXPECT_EQ(dispatcher_->next_deadline(), std::nullopt);
  EXPECT_EQ(pass(std::chrono::hours(10'000)), "");
  EXPECT_EQ(counts().idle, 1U);
}

TEST_F(DispatcherTest, RetiringStopsIdleEnvironmentsNowAndOthersAfterTheirInvocation) {
  warm_up(1);
  invoke(1);
  EXPECT_EQ(invoke(2), "start 2 of 1");
  pass(milliseconds(20));
  ready(2);
  answered(2);
  ready(2);  // 1 busy, 2 idle
  EXPECT_EQ(retire(1), "stop 2 retired");
  answered(1);
  EXPECT_EQ(invoke(3), "");  // it was on its way: still served
  EXPECT_EQ(ready(1), "finish 1<1; deliver 1<3");
  answered(1);
  EXPECT_EQ(ready(1), "finish 1<3; stop 1 retired");
  EXPECT_EQ(dispatcher_->environments_of(VersionId{1}), 0U);
  EXPECT_EQ(invoke(4), "refuse 4 unknown");
}

TEST_F(DispatcherTest, RetiringAVersionWithoutEnvironmentsForgetsIt) {
  EXPECT_EQ(retire(1), "");
  EXPECT_EQ(retire(1), "");
  EXPECT_EQ(invoke(1), "refuse 1 unknown");
}

TEST_F(DispatcherTest, AStartForARetiredVersionStillServesWhatWaits) {
  invoke(1);
  EXPECT_EQ(retire(1), "");
  EXPECT_EQ(ready(1), "deliver 1<1");
  EXPECT_EQ(ended(1), "fail 1 in 1 program ended; finish 1<1; stop 1 retired");
}

TEST_F(DispatcherTest, DrainingServesWhatIsThereAndRefusesTheRest) {
  warm_up(1);
  warm_up(2, 2);
  invoke(1);
  answered(1);
  EXPECT_EQ(invoke(2), "");              // in grace
  EXPECT_EQ(invoke(3), "start 3 of 1");  // for a start
  EXPECT_EQ(drain(), "stop 2 draining");
  EXPECT_EQ(invoke(4), "refuse 4 draining");
  EXPECT_EQ(ready(1), "finish 1<1; deliver 1<2");
  EXPECT_EQ(ready(3), "deliver 3<3");
  answered(1);
  EXPECT_EQ(ready(1), "finish 1<2; stop 1 draining");
  answered(3);
  EXPECT_EQ(ready(3), "finish 3<3; stop 3 draining");
  EXPECT_EQ(counts().environments, 0U);
}

TEST_F(DispatcherTest, CommandsCanBeTakenIntoTheSameVectorAgainAndAgain) {
  std::vector<Command> taken;
  dispatcher_->invoke(InvocationId{1}, VersionId{1}, now_);
  dispatcher_->take_commands(taken);
  ASSERT_EQ(taken.size(), 1U);
  dispatcher_->take_commands(taken);
  EXPECT_TRUE(taken.empty());
}

}  // namespace
}  // namespace ogni::dispatch
