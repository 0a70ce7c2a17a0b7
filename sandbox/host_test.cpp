#include "sandbox/host.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "sandbox/cgroup_tree.h"
#include "sandbox/test_environment.h"

namespace ogni::sandbox::testing {
namespace {

TEST(Host, ReportsAStrengthThatThenCanBeHad) {
  const Fd program = open_launcher_program();

  const HostReport report = probe_host(program.get());

  EXPECT_FALSE(report.kernel.empty());
  EXPECT_EQ(report.findings.size(), 11U);
  for (const Finding& finding : report.findings) EXPECT_FALSE(finding.explanation.empty()) << finding.name;
  EXPECT_EQ(report.why_not_more.empty(), report.strongest == Strength::kNamespace);
  std::string why;
  EXPECT_NE(start_launcher(report.strongest, why), nullptr) << why;
}

TEST(Host, SaysWhyWhenThereIsNoLauncher) {
  auto nothing = open_file("/dev/null", O_RDONLY);
  ASSERT_TRUE(nothing);

  const HostReport report = probe_host(nothing->get());

  EXPECT_EQ(report.strongest, Strength::kProcess);
  EXPECT_NE(report.why_not_more.find("launcher"), std::string::npos) << report.why_not_more;
}

// A group whose processes were frozen when the launcher was killed outlives the sweep of its successor.
TEST(Host, GroupsThatAPredecessorLeftAreMadeAnew) {
  std::vector<std::string> places = find_version_one("memory");
  for (std::string& place : find_version_two()) places.push_back(std::move(place));
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

}  // namespace
}  // namespace ogni::sandbox::testing
