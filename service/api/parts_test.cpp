#include <gtest/gtest.h>

#include "service/api/code_links.h"
#include "service/api/payload.h"
#include "service/api/trace.h"

namespace ogni::service {
namespace {

TEST(CheckPayload, AcceptsAThousandLevelsAndNoMore) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };

  EXPECT_TRUE(check_payload(nested(1000)));
  EXPECT_FALSE(check_payload(nested(1001)));
  EXPECT_FALSE(check_payload(std::string(5'000'000, '[')));
  EXPECT_FALSE(check_payload(""));
}

TEST(CheckPayload, SaysWhereItGaveUp) {
  const auto refused = check_payload(R"({"a":tru})");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("line: 1, column: 10]"), std::string::npos) << refused.error().message;
}

TEST(ContinueTrace, KeepsAGoodTraceAndMakesTheRest) {
  const std::string root = "Root=1-5759e988-bd862e3fe1be46a994272793";
  EXPECT_EQ(continue_trace(root + ";Parent=53995c3f42cd8ad8;Sampled=1"), root + ";Parent=53995c3f42cd8ad8;Sampled=1");
  EXPECT_EQ(continue_trace(root + "; Parent=53995c3f42cd8ad8;Lineage=a:1|b:2"),
            root + ";Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a:1|b:2");
  for (const std::string& bad :
       {std::string(), std::string("nonsense"), std::string("Root=1-x"), std::string(2000, 'x')}) {
    const std::string made = continue_trace(bad);
    EXPECT_EQ(made.size(),
              std::string("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0").size());
    EXPECT_TRUE(made.starts_with("Root=1-"));
    EXPECT_EQ(continue_trace(made), made);
  }
  EXPECT_NE(continue_trace("", true).find(";Sampled=1"), std::string::npos);
  EXPECT_NE(continue_trace(root, true).find(";Sampled=1"), std::string::npos);
  EXPECT_NE(continue_trace(root + ";Sampled=0", true).find(";Sampled=0"), std::string::npos) << "the caller decides";
  EXPECT_EQ(trace_for_caller(root + ";Parent=53995c3f42cd8ad8;Sampled=1"),
            "root=1-5759e988-bd862e3fe1be46a994272793;sampled=1");
}

TEST(CodeLinks, HoldForTenMinutesAndOneZip) {
  const CodeLinks links;
  const WallTime now = std::chrono::system_clock::now();
  const std::string url = links.make("localhost:4566", "abc", now);
  ASSERT_TRUE(url.starts_with("http://localhost:4566/_ogni/code/abc?expires="));
  const std::string expires = url.substr(url.find("expires=") + 8, url.find("&token=") - url.find("expires=") - 8);
  const std::string token = url.substr(url.find("&token=") + 7);

  EXPECT_TRUE(links.is_valid("abc", expires, token, now + std::chrono::minutes(9)));
  EXPECT_FALSE(links.is_valid("abc", expires, token, now + std::chrono::minutes(11)));
  EXPECT_FALSE(links.is_valid("abd", expires, token, now));
  EXPECT_FALSE(links.is_valid("abc", expires + "0", token, now));
  EXPECT_FALSE(links.is_valid("abc", expires, token.substr(1), now));
  EXPECT_FALSE(links.is_valid("abc", "", "", now));
  EXPECT_FALSE(CodeLinks().is_valid("abc", expires, token, now));
}

}  // namespace
}  // namespace ogni::service
