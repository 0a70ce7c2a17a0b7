#include "base/text.h"

#include <gtest/gtest.h>

#include <set>

namespace ogni {
namespace {

TEST(Text, WritesTimeAsAwsDoes) {
  const WallTime time{std::chrono::milliseconds(1583348638390)};
  EXPECT_EQ(to_aws_timestamp(time), "2020-03-04T19:03:58.390+0000");
  EXPECT_EQ(to_iso8601(time), "2020-03-04T19:03:58.390Z");
  EXPECT_EQ(to_epoch_ms(time), 1583348638390);
}

TEST(Text, MakesDistinctVersion4Uuids) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = make_uuid();
    ASSERT_EQ(uuid.size(), 36U);
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
    seen.insert(uuid);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Text, TellsUtf8FromOtherBytes) {
  EXPECT_TRUE(is_utf8("plain"));
  EXPECT_TRUE(is_utf8("é € 😀"));
  EXPECT_FALSE(is_utf8("\xff"));
  EXPECT_FALSE(is_utf8("\xc0\x80"));          // overlong
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));      // surrogate
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));  // beyond U+10FFFF
  EXPECT_FALSE(is_utf8("\xe2\x82"));          // cut
}

TEST(Text, MakesControlCharactersVisible) {
  EXPECT_EQ(printable("a\nb\x1b"), "a\\x0ab\\x1b");
  EXPECT_EQ(printable("abcdef", 3), "abc…");
  EXPECT_EQ(printable("\xff\xc3\xa9\xc3"), "\\xff\xc3\xa9\\xc3");
  EXPECT_EQ(printable("a\xc3\xa9", 2), "a…");
}

}  // namespace
}  // namespace ogni
