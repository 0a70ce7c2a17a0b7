// How the reactor's time is shared out, counted in units and rounds of the event loop.
#include "service/turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <numeric>
#include <vector>

namespace ogni::service {
namespace {

namespace asio = boost::asio;

TEST(WorkShare, ComesAgainWithTimeAndIsPaidBackWithTurns) {
  WorkShare share;
  const WorkShare::Clock::time_point begin{std::chrono::hours(1)};
  share.charge(WorkShare::kUnitsMax - 1);
  EXPECT_FALSE(share.is_spent(begin));
  share.grant(begin);
  share.charge(WorkShare::kUnits);
  EXPECT_TRUE(share.is_spent(begin + WorkShare::kRefillEvery / 2));
  EXPECT_FALSE(share.is_spent(begin + WorkShare::kRefillEvery));
  share.charge(WorkShare::kUnits - 1);
  EXPECT_FALSE(share.is_spent(begin + WorkShare::kRefillEvery));
  share.charge(1);
  EXPECT_TRUE(share.is_spent(begin + WorkShare::kRefillEvery));

  share.charge(3 * WorkShare::kUnits);
  for (int turns = 0; turns < 3; ++turns) {
    share.grant(begin);
    EXPECT_FALSE(share.has_left());
  }
  share.grant(begin);
  EXPECT_TRUE(share.has_left());
  for (int turns = 0; turns < 10; ++turns) share.grant(begin);
  share.charge(WorkShare::kUnits);
  EXPECT_FALSE(share.has_left()) << "turns that nobody needed are not saved up";
}

TEST(WorkShare, WhoRestsHasABurst) {
  WorkShare share;
  const WorkShare::Clock::time_point begin{std::chrono::hours(1)};
  share.charge(WorkShare::kUnitsMax);
  EXPECT_FALSE(share.is_spent(begin + std::chrono::hours(1)));
  share.charge(WorkShare::kUnitsMax - 1);
  EXPECT_FALSE(share.is_spent(begin + std::chrono::hours(1)));
  share.charge(1);
  EXPECT_TRUE(share.is_spent(begin + std::chrono::hours(1)));
}

TEST(WorkShare, WhatIsCreditedIsNotSavedUp) {
  WorkShare share;
  const WorkShare::Clock::time_point begin{std::chrono::hours(1)};
  for (int credits = 0; credits < 10; ++credits) share.credit(100);
  share.charge(WorkShare::kUnitsMax + 99);
  EXPECT_TRUE(share.has_left());
  share.charge(1);
  EXPECT_FALSE(share.has_left());
  EXPECT_FALSE(share.is_spent(begin));
}

class TurnsTest : public ::testing::Test {
 protected:
  // Works for `member` without end, a piece of `units` at a time, and counts them.
  void flood(const std::shared_ptr<Turns::Member>& member, int units, int& pieces) {
    asio::co_spawn(
        context_,
        [](std::shared_ptr<Turns::Member> mine, int each, int& count, bool& stop) -> asio::awaitable<void> {
          for (;;) {
            co_await mine->turn();
            if (stop) co_return;  // the counters are gone
            ++count;
            mine->charge(each);
          }
        }(member, units, pieces, stop_),
        asio::detached);
  }
  void run(int rounds) {
    for (int i = 0; i < rounds; ++i) context_.run_one();
  }
  void TearDown() override {
    stop_ = true;
    context_.run();
  }

  asio::io_context context_{1};
  std::shared_ptr<Turns> turns_ =
      std::make_shared<Turns>(context_.get_executor(), std::chrono::hours(1'000'000), std::chrono::microseconds(0));
  bool stop_ = false;
};

TEST_F(TurnsTest, OnlyOneFloodWorksInEachRoundAndAllTheSame) {
  constexpr int kFloods = 8;
  constexpr int kUnits = 16;
  std::vector<int> pieces(kFloods);
  std::vector<std::shared_ptr<Turns::Member>> members;
  for (int& count : pieces) flood(members.emplace_back(turns_->join()), kUnits, count);
  run(2 * kFloods);  // each uses up what it has without waiting
  for (int round = 0; round < 100; ++round) {
    const int before = std::accumulate(pieces.begin(), pieces.end(), 0);
    context_.run_one();
    const int now = std::accumulate(pieces.begin(), pieces.end(), 0);
    ASSERT_LE(now - before, WorkShare::kUnits / kUnits + 1);
    ASSERT_GT(now, before);
  }
  const auto [fewest, most] = std::ranges::minmax(pieces);
  EXPECT_LE(most - fewest, 2 * WorkShare::kUnits / kUnits);
}

// However many connections an environment has.
TEST_F(TurnsTest, ManyWorkersOfOneEnvironmentHaveOneShareTogether) {
  const auto many = turns_->join();
  const auto few = turns_->join();
  std::vector<int> of_many(64);
  int of_few = 0;
  for (int& count : of_many) flood(many, 16, count);
  flood(few, 16, of_few);
  run(1000);
  const int sum = std::accumulate(of_many.begin(), of_many.end(), 0);
  EXPECT_GT(of_few, 1000);
  EXPECT_LT(sum, of_few + of_few / 2) << "the share is the environment's";
  EXPECT_GT(std::ranges::min(of_many), 0) << "each of its connections is served";
}

TEST_F(TurnsTest, WorkLargerThanAShareWaitsForAsManyTurns) {
  const auto large = turns_->join();
  const auto small = turns_->join();
  int of_large = 0;
  int of_small = 0;
  flood(large, 10 * WorkShare::kUnits, of_large);
  flood(small, WorkShare::kUnits, of_small);
  run(1000);
  EXPECT_GT(of_large, 10);
  EXPECT_GT(of_small, 8 * of_large);
}

TEST_F(TurnsTest, WhoWaitsIsForgottenWithTheTurns) {
  int pieces = 0;
  auto member = turns_->join();
  flood(member, WorkShare::kUnits, pieces);
  run(3);
  const std::weak_ptr<Turns::Member> left = member;
  member.reset();
  EXPECT_FALSE(left.expired()) << "its worker waits";
  turns_.reset();
  context_.poll();
  EXPECT_TRUE(left.expired());
}

TEST_F(TurnsTest, WhoHasASharePassesAtOnce) {
  int of_flood = 0;
  flood(turns_->join(), WorkShare::kUnits, of_flood);
  run(50);
  int calls = 0;
  const auto member = turns_->join();
  asio::co_spawn(
      context_,
      [](std::shared_ptr<Turns::Member> mine, int& count) -> asio::awaitable<void> {
        for (int i = 0; i < 4; ++i) {
          co_await mine->turn();
          mine->charge(WorkShare::kUnits / 4);
          ++count;
        }
      }(member, calls),
      asio::detached);
  run(2);
  EXPECT_EQ(calls, 4);
}

}  // namespace
}  // namespace ogni::service
