// What a program of an environment goes through, in every strength: start, end, and everything that can be wrong.
#include "sandbox/environment.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>

#include "sandbox/test_environment.h"

namespace ogni::sandbox::testing {
namespace {

class EnvironmentTest : public LauncherTest {};
INSTANTIATE_TEST_SUITE_P(Strengths, EnvironmentTest, ::testing::Values(Strength::kNamespace, Strength::kProcess),
                         [](const auto& strength) { return std::string(to_string(strength.param)); });

TEST_P(EnvironmentTest, RunsAScriptAndReportsItsOutputAndExitStatus) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/bash\necho one\necho two >&2\necho three\nexit 7\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();

  auto ran = run(*made->environment, bootstrap(code));

  ASSERT_TRUE(ran) << ran.error().message();
  const auto* exited = std::get_if<Exited>(&ran->event);
  ASSERT_NE(exited, nullptr);
  EXPECT_TRUE(WIFEXITED(exited->wait_status));
  EXPECT_EQ(WEXITSTATUS(exited->wait_status), 7);
  EXPECT_GT(exited->max_rss_bytes, 500'000U);
  EXPECT_FALSE(exited->out_of_memory);
  EXPECT_EQ(ran->log, "one\ntwo\nthree\n");
}

}  // namespace
}  // namespace ogni::sandbox::testing
