#include "sandbox/processor_pace.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <random>

namespace ogni::sandbox {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// One environment on a clock that the test moves.
struct Simulated {
  explicit Simulated(std::uint64_t share) : pace(share) { pace.look(now, used); }
  bool run(milliseconds time, double processors, bool floods = false) {
    now += time;
    used += std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(time) * processors);
    return pace.look(now, used, floods);
  }
  ProcessorPace pace;
  ProcessorPace::Time now{std::chrono::hours(1)};
  nanoseconds used{milliseconds(300)};
};

TEST(ProcessorPace, TellsWhoGoesOnUsingMoreThanItsAllowance) {
  Simulated environment(1000);
  EXPECT_FALSE(environment.run(milliseconds(50), 2)) << "a burst is anybody's right";
  bool is_beyond = false;
  for (int i = 0; i < 20; ++i) is_beyond = environment.run(milliseconds(50), 2);
  EXPECT_TRUE(is_beyond);
  EXPECT_TRUE(environment.pace.is_beyond());
}

// Eight that flooded the daemon, each within its allowance, kept a neighbour on the same processor waiting 10 times as long
// as alone.
TEST(ProcessorPace, WhoGoesOnFloodingMakesWayWithinItsAllowance) {
  Simulated environment(73);
  EXPECT_FALSE(environment.run(milliseconds(50), 0.1, true)) << "a burst is anybody's right";
  EXPECT_FALSE(environment.run(milliseconds(50), 0.1, false));
  EXPECT_FALSE(environment.run(milliseconds(50), 0.1, true));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(environment.run(milliseconds(50), 0.1, true));
  for (int i = 0; i < 3; ++i) environment.run(milliseconds(50), 0.1, false);
  EXPECT_FALSE(environment.pace.is_beyond()) << "it has stopped";
}

TEST(ProcessorPace, ForgetsWhatWasLongAgo) {
  Simulated environment(73);
  for (int i = 0; i < 20; ++i) environment.run(milliseconds(50), 1);
  ASSERT_TRUE(environment.pace.is_beyond());
  EXPECT_FALSE(environment.run(std::chrono::seconds(10), 0.01));
}

TEST(ProcessorPace, NeverSlowsWhoStaysWithinItsAllowance) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> pause(1, 200);
  for (const auto& [share, allowance] : {std::pair(1200U, 0.6), std::pair(73U, 0.25), std::pair(0U, 0.25)}) {
    std::uniform_real_distribution<double> processors(0, allowance);
    Simulated environment(share);
    for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(environment.run(milliseconds(pause(random)), processors(random)));
  }
}

TEST(ProcessorPace, HasNothingToSayWithoutTime) {
  Simulated environment(1000);
  EXPECT_FALSE(environment.run(milliseconds(0), 0)) << "two looks at the same moment";
}

// Where two want all there is, each gets its allowance.
TEST(ProcessorPace, LeavesEachItsAllowanceInContention) {
  constexpr double kProcessors = 2;
  constexpr std::array<std::uint64_t, 2> kShares = {1200, 73};
  std::array<Simulated, 2> both = {Simulated(kShares[0]), Simulated(kShares[1])};
  std::array<double, 2> got{};
  constexpr int kLooks = 4000;
  for (int i = 0; i < kLooks; ++i) {
    std::array<double, 2> weights{};
    for (std::size_t n = 0; n < both.size(); ++n) {
      weights[n] =
          both[n].pace.is_beyond() ? 0.01 : static_cast<double>(kShares[n]);  // as idle ones all weigh the same
    }
    for (std::size_t n = 0; n < both.size(); ++n) {
      const double processors = kProcessors * weights[n] / (weights[0] + weights[1]);
      both[n].run(milliseconds(50), processors);
      got[n] += processors / kLooks;
    }
  }
  EXPECT_GE(got[0], 0.59);
  EXPECT_GE(got[1], 0.24);
}

}  // namespace
}  // namespace ogni::sandbox
