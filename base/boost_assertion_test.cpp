#include <gtest/gtest.h>

#include <boost/assert.hpp>
#include <boost/json/value.hpp>

namespace {

TEST(BoostAssertionDeathTest, EndsTheProcessWithTheExpressionInEveryBuild) {
  EXPECT_DEATH(BOOST_ASSERT(1 + 1 == 3), "assertion failed: 1 \\+ 1 == 3");
  EXPECT_DEATH(BOOST_ASSERT_MSG(false, "the reason"), "the reason");
}

TEST(BoostAssertionDeathTest, AJsonValueOfAnotherKindIsNeverReadAsAnObject) {
  const boost::json::value number = 1;
  EXPECT_DEATH(static_cast<void>(number.get_object().size()), "assertion failed");
}

}  // namespace
