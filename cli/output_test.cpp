#include "cli/output.h"

#include <gtest/gtest.h>

namespace ogni::cli {
namespace {

TEST(ForTerminal, ShowsControlCharactersInsteadOfSendingThem) {
  EXPECT_EQ(for_terminal("a\x1b[31mb\r\n\tc\x7f\x07"), "a\\x1b[31mb\\x0d\n\tc\\x7f\\x07");
  EXPECT_EQ(for_terminal("\xc2\x9b"
                         "31m ü"),
            "\\x9b31m ü");
  EXPECT_EQ(for_terminal("\xc3\xbc\xff"), "\\xc3\\xbc\\xff");
}

TEST(Table, AlignsColumnsByCharactersNotBytes) {
  EXPECT_EQ(table({{"NAME", "N"}, {"ü", "10"}, {"long", ""}}, 1), "NAME   N\nü     10\nlong\n");
  EXPECT_EQ(table({}), "");
}

TEST(HumanBytes, ChoosesTheUnit) {
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1234), "1.2 kB");
  EXPECT_EQ(human_bytes(999'999), "1.0 MB");
  EXPECT_EQ(human_bytes(52'428'800), "52.4 MB");
}

}  // namespace
}  // namespace ogni::cli
