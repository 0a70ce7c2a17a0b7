#include "runtime/xray_cause.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace ogni::runtime {
namespace {

std::string directory_json() {
  char path[4096];
  return ::getcwd(path, sizeof path) == nullptr ? "" : path;
}

TEST(XrayCause, SaysWhatLedToTheErrorFromTheOuterToTheInner) {
  Buffer out;
  XrayCause cause(out);
  cause.exception("Order.Empty", "no \"items\"\xff");
  cause.frames("f at a.c:1\n\ng at b.c:2\n");
  cause.exception("std::out_of_range", "inner");
  EXPECT_EQ(cause.end(),
            "{\"exceptions\":[{\"message\":\"no \\\"items\\\"\xEF\xBF\xBD\",\"type\":\"Order.Empty\","
            "\"stack\":[{\"label\":\"f at a.c:1\"},{\"label\":\"g at b.c:2\"}]},"
            "{\"message\":\"inner\",\"type\":\"std::out_of_range\",\"stack\":[]}],\"working_directory\":\"" +
                directory_json() + "\",\"paths\":[]}");
}

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string_view::npos; at += what.size()) ++found;
  return found;
}

// Whatever there is of it, and whatever its bytes: within the limit, and with an end.
TEST(XrayCause, LeavesOutWhatThereIsNoRoomFor) {
  for (const char unit : {'a', '"', '\x01', '\xFF'}) {
    for (const std::size_t length : {0U, 10U, 300U, 5000U}) {
      Buffer out;
      XrayCause cause(out);
      const std::string text(length, unit);
      for (int i = 0; i < 40; ++i) {
        cause.exception(text, text);
        for (int j = 0; j < 40; ++j) cause.frame(text);
      }
      const std::string_view whole = cause.end();
      EXPECT_LE(whole.size(), XrayCause::kBytesMax);
      EXPECT_GE(count(whole, "\"message\":"), 1U);
      EXPECT_TRUE(whole.ends_with("\",\"paths\":[]}"));
      EXPECT_EQ(count(whole, "\"stack\":["), count(whole, "\"message\":"));
    }
  }
}

}  // namespace
}  // namespace ogni::runtime
