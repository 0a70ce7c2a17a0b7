// Freezing and thawing, by whatever this host has for it: cgroups as root, signals without.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>

#include "sandbox/environment.h"
#include "sandbox/test_environment.h"

namespace ogni::sandbox::testing {
namespace {

class FreezeTest : public LauncherTest {
 protected:
  // An environment whose program counts into /tmp/count, with a child in the background that does as well.
  std::optional<Made> counting() {
    code_.file("bootstrap",
               "#!/bin/bash\ntrap '' TERM\n(while :; do echo child; done) &\nwhile :; do echo parent; done\n");
    auto made = make(*launcher_, spec(code_));
    EXPECT_TRUE(made) << made.error().message();
    if (!made) return std::nullopt;
    EXPECT_TRUE(made->environment->start(bootstrap(code_)));
    return std::move(*made);
  }
  static constexpr int kSoonMs = 300;       // what is silent for so long has stopped
  static constexpr int kSurelyMs = 20'000;  // what runs prints within that, however busy the machine is
  // Bytes that it prints until nothing has come for `patience_ms`, or until there were `enough`.
  static std::size_t printed(const Environment& environment, std::size_t enough, int patience_ms = kSurelyMs) {
    std::size_t bytes = 0;
    pollfd waiting{.fd = environment.log_descriptor(), .events = POLLIN, .revents = 0};
    std::array<char, 65'536> buffer;
    while (bytes < enough && ::poll(&waiting, 1, patience_ms) == 1) {
      const ssize_t count = ::read(environment.log_descriptor(), buffer.data(), buffer.size());
      if (count <= 0) break;
      bytes += static_cast<std::size_t>(count);
    }
    return bytes;
  }
  static constexpr std::size_t kMuch = std::size_t{1} << 20;  // more than a pipe holds

  CodeDirectory code_;
};
INSTANTIATE_TEST_SUITE_P(Strengths, FreezeTest, ::testing::Values(Strength::kNamespace, Strength::kProcess),
                         [](const auto& strength) { return std::string(to_string(strength.param)); });

TEST_P(FreezeTest, StopsEveryProcessAndLetsThemGoOn) {
  auto made = counting();
  ASSERT_TRUE(made);
  Environment& environment = *made->environment;
  EXPECT_GE(printed(environment, kMuch), kMuch);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(environment.freeze());
    EXPECT_TRUE(environment.is_frozen());
    ASSERT_TRUE(environment.freeze());  // a second time changes nothing
    EXPECT_LT(printed(environment, kMuch, kSoonMs), kMuch) << "it prints on";
    ASSERT_TRUE(environment.thaw());
    EXPECT_FALSE(environment.is_frozen());
    EXPECT_GE(printed(environment, kMuch), kMuch) << "it does not go on";
  }
}

TEST_P(FreezeTest, StopsThoseWhoWakeEachOther) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  code_.file(
      "bootstrap",
      "#!/usr/bin/python3\nimport os, signal\nfirst = os.getpid()\n"
      "for _ in range(12):\n  if os.fork() == 0: break\n"
      "while True:\n  os.write(1, b'x' * 64)\n"
      "  for pid in range(first, first + 14):\n    try: os.kill(pid, signal.SIGCONT)\n    except OSError: pass\n");
  auto made = make(*launcher_, spec(code_));
  ASSERT_TRUE(made) << made.error().message();
  Environment& environment = *made->environment;
  ASSERT_TRUE(environment.start(bootstrap(code_)));
  constexpr std::size_t kSome = 65'536;
  EXPECT_GE(printed(environment, kSome), kSome);

  ASSERT_TRUE(environment.freeze());

  EXPECT_LT(printed(environment, 64 * kMuch, kSoonMs), 64 * kMuch) << "it prints on";
  ASSERT_TRUE(environment.thaw());
  EXPECT_GE(printed(environment, kSome), kSome) << "it does not go on";
}

TEST_P(FreezeTest, FrozenProgramCanBeKilledAndStartedAgain) {
  auto made = counting();
  ASSERT_TRUE(made);
  Environment& environment = *made->environment;
  EXPECT_GE(printed(environment, kMuch), kMuch);
  ASSERT_TRUE(environment.freeze());
  ASSERT_TRUE(environment.kill());
  auto event = wait_event(environment);
  ASSERT_TRUE(event) << event.error().message();
  const auto* exited = std::get_if<Exited>(&*event);
  ASSERT_NE(exited, nullptr);
  EXPECT_EQ(WTERMSIG(exited->wait_status), SIGKILL);
  ASSERT_TRUE(environment.thaw());
  ASSERT_TRUE(environment.start(bootstrap(code_)));
  EXPECT_GE(printed(environment, kMuch), kMuch);
}

TEST_P(FreezeTest, FrozenEnvironmentEndsWithItsOwnerAndLeavesNothing) {
  auto made = counting();
  ASSERT_TRUE(made);
  EXPECT_GE(printed(*made->environment, kMuch), kMuch);
  ASSERT_TRUE(made->environment->freeze());
  const Fd process(::dup(made->environment->process_descriptor()));
  made->environment.reset();
  pollfd waiting{.fd = process.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&waiting, 1, 20'000), 1);
}

TEST_P(FreezeTest, FrozenEnvironmentEndsWithTheLauncher) {
  auto made = counting();
  ASSERT_TRUE(made);
  EXPECT_GE(printed(*made->environment, kMuch), kMuch);
  ASSERT_TRUE(made->environment->freeze());
  launcher_.reset();
  EXPECT_TRUE(wait_end(*made->environment));
}

TEST_P(FreezeTest, AsRootItIsDoneByCgroups) {
  if (::geteuid() != 0) GTEST_SKIP() << "an ordinary user may have no cgroup of his own";
  auto made = counting();
  ASSERT_TRUE(made);
  if (::access("/sys/fs/cgroup", R_OK) != 0) GTEST_SKIP() << "no cgroups are mounted";
  EXPECT_NE(made->environment->freeze_way(), FreezeWay::kSignals);
}

}  // namespace
}  // namespace ogni::sandbox::testing
