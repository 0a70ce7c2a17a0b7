#include "sandbox/host.h"

#include <algorithm>

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

}  // namespace
}  // namespace ogni::sandbox::testing
