#include "service/http/url.h"

#include <gtest/gtest.h>

namespace ogni::http {
namespace {

TEST(PercentDecode, DecodesEscapesAndLeavesPlusAlone) {
  EXPECT_EQ(percent_decode("arn%3aaws%3Alambda"), "arn:aws:lambda");
  EXPECT_EQ(percent_decode("a+b%2Fc"), "a+b/c");
  EXPECT_EQ(percent_decode(""), "");
}

TEST(PercentDecode, RefusesBrokenEscapesAndZeroBytes) {
  for (const char* bad : {"%", "%4", "a%", "%zz", "%4g", "a%00b"}) EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
}

TEST(PercentEncode, IsUndoneByDecoding) {
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);

  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_encode("a-b.c_d~e/f"), "a-b.c_d~e%2Ff");
}

TEST(QueryValue, FindsTheFirstOfAName) {
  EXPECT_EQ(query_value("a=1&b=2&b=3", "b"), "2");
  EXPECT_EQ(query_value("Qualifier=%24LATEST", "Qualifier"), "$LATEST");
  EXPECT_EQ(query_value("a+b=c+d", "a b"), "c d");
  EXPECT_EQ(query_value("x&y=", "x"), "");
  EXPECT_EQ(query_value("x&y=", "y"), "");
  EXPECT_EQ(query_value("x&&y=", "z"), std::nullopt);
  EXPECT_EQ(query_value("z=%", "z"), std::nullopt);
  EXPECT_EQ(query_value("", "z"), std::nullopt);
}

}  // namespace
}  // namespace ogni::http
