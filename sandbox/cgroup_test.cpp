#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/cgroup_file.h"
#include "sandbox/cgroup_tree.h"

namespace ogni::sandbox {
namespace {

// A group whose processes were frozen when the launcher was killed outlives the sweep of its successor.
TEST(CgroupDirectoryTest, MakesAnewWhatAPredecessorLeft) {
  std::vector<std::string> places = find_version_one("memory").value();
  for (std::string& place : find_version_two().value()) places.push_back(std::move(place));
  const std::string name = "ogni-left" + std::to_string(::getpid());
  std::optional<CgroupDirectory> directory;
  for (const std::string& place : places) {
    if (auto opened = CgroupDirectory::open(place, name); opened && !directory) directory.emplace(std::move(*opened));
  }
  if (!directory) GTEST_SKIP() << "this user may make no control group";
  ASSERT_EQ(::mkdirat(directory->fd(), "7", 0755), 0);

  const auto made = directory->create("7");

  EXPECT_TRUE(made) << made.error().message();
  EXPECT_TRUE(directory->remove("7"));
}

TEST(CgroupFile, TellsNumbersByTheWholeNameOfTheirLine) {
  constexpr const char* kVersionOne = "cache 7\nrss 12\nrss_huge 3\nshmem 5";
  EXPECT_EQ(number_after("rss_huge", kVersionOne), 3U);
  EXPECT_EQ(number_after("shmem", kVersionOne), 5U);
  EXPECT_EQ(number_after("huge", kVersionOne), std::nullopt);
  EXPECT_EQ(number_after("rss", "rss many"), std::nullopt);
  EXPECT_EQ(anonymous_bytes(kVersionOne), 12U);
  EXPECT_EQ(anonymous_bytes("anon 4096\nfile 1\n"), 4096U);
  EXPECT_EQ(anonymous_bytes(""), std::nullopt);
}

}  // namespace
}  // namespace ogni::sandbox
