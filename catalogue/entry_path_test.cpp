#include "catalogue/entry_path.h"

#include <gtest/gtest.h>

#include <random>

namespace ogni::catalogue {
namespace {

using namespace std::string_literals;

TEST(EntryPath, SplitsNamesAsUnzipProgramsDo) {
  using List = std::vector<std::string>;
  EXPECT_EQ(parse_entry_path("a").value(), (List{"a"}));
  EXPECT_EQ(parse_entry_path("a/b/").value(), (List{"a", "b"}));
  EXPECT_EQ(parse_entry_path("./a//./b").value(), (List{"a", "b"}));
  EXPECT_EQ(parse_entry_path("./").value(), (List{}));
  EXPECT_EQ(parse_entry_path("..\\..\\windows").value(), (List{"..\\..\\windows"}));
  EXPECT_EQ(parse_entry_path("C:\\x").value(), (List{"C:\\x"}));
  EXPECT_EQ(parse_entry_path("...").value(), (List{"..."}));
  EXPECT_EQ(parse_entry_path("a b\n\xC3\xA9").value(), (List{"a b\n\xC3\xA9"}));
}

TEST(EntryPath, RefusesWhatCouldLeaveTheTree) {
  for (const std::string& name : {""s, "/"s, "/etc/passwd"s, ".."s, "../x"s, "a/../b"s, "a/.."s, "./.."s, "a\0b"s,
                                  std::string(256, 'n'), "a/" + std::string(256, 'n')}) {
    auto parsed = parse_entry_path(name);
    ASSERT_FALSE(parsed) << name;
    EXPECT_EQ(parsed.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(EntryPath, BoundsLengthAndDepth) {
  std::string deep = "d";
  for (std::size_t i = 1; i < kPathDepthMax; ++i) deep += "/d";
  EXPECT_EQ(parse_entry_path(deep).value().size(), kPathDepthMax);
  EXPECT_FALSE(parse_entry_path(deep + "/d"));
  std::string longest;
  while (longest.size() < kPathBytesMax) longest += std::string(199, 'n') + '/';
  EXPECT_TRUE(parse_entry_path(longest));
  EXPECT_FALSE(parse_entry_path(longest + "n"));
}

TEST(EntryPath, GivesOnlyPlainComponents) {
  std::mt19937 random(1);
  const std::string letters = "./\\a\0"s;
  std::size_t accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string name;
    for (auto left = random() % 8; left > 0; --left) name += letters[random() % letters.size()];
    auto parsed = parse_entry_path(name);
    if (!parsed) continue;
    ++accepted;
    std::string printed;
    for (const auto& part : *parsed) {
      EXPECT_FALSE(part.empty() || part == "." || part == ".." || part.find_first_of("/\0"s) != std::string::npos);
      printed += part + '/';
    }
    if (!printed.empty()) {
      EXPECT_EQ(parse_entry_path(printed).value(), *parsed);
    }
  }
  EXPECT_GT(accepted, 10'000U);
}

TEST(LinkTarget, MayLeadAnywhereThatTheKernelTakes) {
  for (const std::string& target :
       {"a"s, "./a/b"s, "../../lib/x.so.1"s, "/opt/lib/x.so"s, "/usr/bin/python3"s, "/"s, ".."s, "a/../../b"s,
        "u/../../etc"s, "\xFF"s, std::string(kLinkTargetBytesMax, 'a')}) {
    EXPECT_TRUE(check_link_target(target)) << target;
  }
  for (const std::string& target : {""s, "a\0b"s, std::string(kLinkTargetBytesMax + 1, 'a')}) {
    EXPECT_FALSE(check_link_target(target)) << target;
  }
}

}  // namespace
}  // namespace ogni::catalogue
