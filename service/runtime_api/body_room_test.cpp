// Who gets room when it is scarce, and who waits.
#include "service/runtime_api/body_room.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <vector>

namespace ogni::service {
namespace {

namespace asio = boost::asio;
constexpr std::size_t kAnswer = std::size_t{6} << 20;

class BodyRoomTest : public ::testing::Test {
 protected:
  // One connection of `holder` that wants `bytes`. False where it waits.
  bool take(const std::shared_ptr<BodyRoom::Holder>& holder, std::size_t bytes = kAnswer + BodyRoom::kFreeBytes) {
    leases_.push_back(std::make_unique<BodyRoom::Lease>(holder));
    outcomes_.push_back(std::make_unique<std::optional<bool>>());
    asio::co_spawn(
        context_,
        [](BodyRoom::Lease& lease, std::size_t wanted, std::optional<bool>& outcome) -> asio::awaitable<void> {
          outcome = co_await lease.grow(wanted);
        }(*leases_.back(), bytes, *outcomes_.back()),
        asio::detached);
    context_.restart();
    context_.poll();
    return outcomes_.back()->has_value();
  }
  std::size_t waiting() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(outcomes_, [](const auto& one) { return !one->has_value(); }));
  }

  asio::io_context context_{1};
  std::shared_ptr<BodyRoom> room_ = std::make_shared<BodyRoom>();
  std::vector<std::unique_ptr<std::optional<bool>>> outcomes_;
  std::vector<std::unique_ptr<BodyRoom::Lease>> leases_;
};

TEST_F(BodyRoomTest, SmallBodiesCostNothing) {
  const auto holder = room_->make_holder();
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(take(holder, BodyRoom::kFreeBytes));
  EXPECT_EQ(room_->held(), 0U);
}

TEST_F(BodyRoomTest, OneWhoHoardsDoesNotKeepOutOthers) {
  const auto hoarder = room_->make_holder();
  int got = 0;
  for (int i = 0; i < 200; ++i) got += take(hoarder) ? 1 : 0;
  EXPECT_EQ(got, static_cast<int>(BodyRoom::kFirstComeBytesMax / kAnswer));
  EXPECT_LE(room_->held(), BodyRoom::kFirstComeBytesMax);
  std::vector<std::shared_ptr<BodyRoom::Holder>> others;
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(take(others.emplace_back(room_->make_holder()))) << i;
  EXPECT_FALSE(take(others.front())) << "who holds an answer already waits like everybody";
  EXPECT_LE(room_->held(), BodyRoom::kBytesMax);
}

TEST_F(BodyRoomTest, NeverHoldsMoreThanAllAndLetsInInOrder) {
  std::vector<std::shared_ptr<BodyRoom::Holder>> holders;
  for (int i = 0; i < 100; ++i) take(holders.emplace_back(room_->make_holder()));
  EXPECT_LE(room_->held(), BodyRoom::kBytesMax);
  const std::size_t before = waiting();
  ASSERT_GT(before, 2U);
  const std::size_t first = outcomes_.size() - before;
  leases_[0].reset();
  EXPECT_EQ(waiting(), before - 1);
  EXPECT_EQ(*outcomes_[first], true) << "who waited longest";
  leases_[1]->give_back();
  EXPECT_EQ(*outcomes_[first + 1], true);
  leases_.clear();
  EXPECT_EQ(room_->held(), 0U);
}

TEST_F(BodyRoomTest, GrowsByWhatIsNewAndLeavesWhenItsConnectionEnds) {
  const auto holder = room_->make_holder();
  EXPECT_TRUE(take(holder, BodyRoom::kFreeBytes + 100));
  EXPECT_EQ(holder->held(), 100U);
  while (take(room_->make_holder())) {
  }
  leases_.back()->leave();
  EXPECT_EQ(*outcomes_.back(), false);
  leases_.back()->leave();
  EXPECT_FALSE(take(room_->make_holder()));
  const std::size_t held = room_->held();
  leases_.pop_back();
  EXPECT_EQ(room_->held(), held) << "it had nothing, and is not let in any more";
  leases_.clear();
  EXPECT_EQ(room_->held(), 0U);
}

}  // namespace
}  // namespace ogni::service
