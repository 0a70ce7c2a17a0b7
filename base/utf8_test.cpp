#include "base/utf8.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace ogni {
namespace {

TEST(ToUtf8, KeepsCharactersAndReplacesWhatIsNone) {
  EXPECT_EQ(to_utf8(""), "");
  EXPECT_EQ(to_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(to_utf8("by\xff"), "by\xef\xbf\xbd");
  EXPECT_EQ(to_utf8("\xc3"), "\xef\xbf\xbd");
  EXPECT_EQ(to_utf8("\xc3(\xa9"), "\xef\xbf\xbd(\xef\xbf\xbd");
}

TEST(ToUtf8, GivesUtf8ForEveryPairOfBytes) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const char bytes[] = {static_cast<char>(first), static_cast<char>(second)};
      EXPECT_TRUE(is_utf8(to_utf8({bytes, 2}))) << first << " " << second;
    }
  }
}

TEST(Utf8Prefix, CutsNoCharacter) {
  const std::string_view text = "a\xe2\x82\xac" "b";
  EXPECT_EQ(utf8_prefix(text, 0), "");
  EXPECT_EQ(utf8_prefix(text, 1), "a");
  EXPECT_EQ(utf8_prefix(text, 2), "a");
  EXPECT_EQ(utf8_prefix(text, 3), "a");
  EXPECT_EQ(utf8_prefix(text, 4), "a\xe2\x82\xac");
  EXPECT_EQ(utf8_prefix(text, 9), text);
}

}  // namespace
}  // namespace ogni
