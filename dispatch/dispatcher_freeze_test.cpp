// When environments are frozen, and that nothing reaches a frozen one.
#include <gtest/gtest.h>

#include "dispatch/dispatcher.h"
#include "dispatch/dispatcher_fixture.h"

namespace ogni::dispatch {
namespace {

class DispatcherFreezeTest : public DispatcherTest {
 protected:
  void SetUp() override { begin({}, milliseconds(100)); }
};

TEST_F(DispatcherFreezeTest, IdleEnvironmentIsFrozenAfterAMomentAndThawedBeforeTheNextEvent) {
  warm_up(1);
  EXPECT_EQ(dispatcher_->next_deadline(), now_ + milliseconds(100));
  EXPECT_EQ(pass(milliseconds(99)), "");
  EXPECT_FALSE(dispatcher_->is_frozen(EnvironmentId{1}));
  EXPECT_EQ(pass(milliseconds(1)), "freeze 1");
  EXPECT_TRUE(dispatcher_->is_frozen(EnvironmentId{1}));
  EXPECT_EQ(invoke(7), "thaw 1; deliver 1<7");
  EXPECT_FALSE(dispatcher_->is_frozen(EnvironmentId{1}));
}

TEST_F(DispatcherFreezeTest, BusyEnvironmentIsNeverFrozen) {
  warm_up(1);
  for (std::uint64_t i = 1; i <= 50; ++i) {
    EXPECT_EQ(pass(milliseconds(60)), "");
    EXPECT_EQ(invoke(i), "deliver 1<" + std::to_string(i));
    EXPECT_EQ(pass(milliseconds(60)), "");
    answered(1);
    EXPECT_EQ(ready(1), "finish 1<" + std::to_string(i));
  }
}

TEST_F(DispatcherFreezeTest, WhatHasAnsweredButNotPolledRunsOn) {
  warm_up(1);
  invoke(7);
  answered(1);
  EXPECT_EQ(pass(milliseconds(500)), "");
}

TEST_F(DispatcherFreezeTest, ProgramThatEndedWhileFrozenIsThawedBeforeItIsStartedAgain) {
  warm_up(1);
  pass(milliseconds(100));
  EXPECT_EQ(ended(1), "");
  EXPECT_EQ(invoke(7), "thaw 1; restart 1<7");
}

TEST_F(DispatcherFreezeTest, EnvironmentWithoutAProgramIsNotFrozen) {
  warm_up(1);
  EXPECT_EQ(ended(1), "");
  EXPECT_EQ(pass(milliseconds(500)), "");
}

TEST_F(DispatcherFreezeTest, FrozenEnvironmentIsStoppedWhenItIdlesTooLongIsRetiredOrDrained) {
  warm_up(1);
  warm_up(2, 2);
  EXPECT_EQ(pass(milliseconds(100)), "freeze 1; freeze 2");
  EXPECT_EQ(retire(2), "stop 2 retired");
  EXPECT_EQ(pass(Limits().idle_max), "stop 1 idle");
  warm_up(3);
  pass(milliseconds(100));
  EXPECT_EQ(drain(), "stop 3 draining");
}

TEST_F(DispatcherFreezeTest, ZeroFreezesAtOnce) {
  begin({}, milliseconds(0));
  invoke(7);
  EXPECT_EQ(ready(1), "deliver 1<7");
  answered(1);
  EXPECT_EQ(ready(1), "finish 1<7; freeze 1");
  EXPECT_EQ(invoke(8), "thaw 1; deliver 1<8");
}

}  // namespace
}  // namespace ogni::dispatch
