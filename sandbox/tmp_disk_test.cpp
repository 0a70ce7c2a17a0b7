// /tmp as a disk of its own, and environments made ahead: both need a launcher with other settings than other tests have.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "sandbox/test_environment.h"

namespace ogni::sandbox::testing {
namespace {

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

class TmpDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can mount disks";
    auto directory = open_file(images_.path(), O_PATH | O_DIRECTORY);
    ASSERT_TRUE(directory);
    const Fd program = open_launcher_program();
    auto options = launcher_options(Strength::kNamespace);
    options.program = program.get();
    options.disk_directory = directory->get();
    options.blank_environments = 2;
    auto launcher = Launcher::start(options);
    if (!launcher) GTEST_SKIP() << "this host cannot have namespaces: " << launcher.error().message();
    ASSERT_TRUE(make(*launcher, {.id = next_id(), .tmp_bytes = 512 * kMegabyte}));  // by then it is known
    if (!launcher->why_tmp_is_memory().empty()) GTEST_SKIP() << "no disks here: " << launcher->why_tmp_is_memory();
    launcher_.emplace(std::move(*launcher));
  }

  // What `script` printed in an environment of these sizes; `after` gets how it ended.
  std::string sh(const std::string& script, std::uint64_t tmp_bytes = 512 * kMegabyte, std::uint64_t memory_bytes = 0) {
    CodeDirectory code;
    code.file("bootstrap", "#!/bin/bash\n" + script);
    auto made = make(
        *launcher_, {.id = next_id(), .memory_bytes = memory_bytes, .tmp_bytes = tmp_bytes, .task = code.descriptor()});
    if (!made) return "not made: " + made.error().message();
    auto ran = run(*made->environment, {.candidates = {"/var/task/bootstrap"},
                                        .arguments = {},
                                        .variables = {"PATH=/usr/bin:/bin"},
                                        .working_directory = "/tmp"});
    if (!ran) return "not run: " + ran.error().message();
    if (const auto* exited = std::get_if<Exited>(&ran->event)) {
      if (exited->wait_status != 0) ran->log += "status " + std::to_string(exited->wait_status) + "\n";
      if (exited->out_of_memory) ran->log += "out of memory\n";
    }
    EXPECT_TRUE(close_and_wait(*made->environment));
    return ran->log;
  }
  static bool close_and_wait(Environment& environment) {
    const Fd process(::dup(environment.process_descriptor()));
    {
      const Environment ended = std::move(environment);
    }
    return wait_readable(process.get(), kPatience);
  }

  TemporaryDirectory images_;
  std::optional<Launcher> launcher_;
};

TEST_F(TmpDiskTest, HasExactlyTheSizeAndSaysSo) {
  EXPECT_EQ(sh("df -k --output=avail,fstype /tmp | tail -1; stat -c %a /tmp; ls -A /tmp\n"
               "head -c 67108864 /dev/zero > all || echo too small; head -c 200000 /dev/zero > more 2> said; "
               "cat all | wc -c; [ $(stat -c %s more) -lt 200000 ] && echo full; rm all more; echo x > y && cat y\n",
               64 * kMegabyte),
            "65540 ext4\n1777\n67108864\nfull\nx\n");
}

TEST_F(TmpDiskTest, TakesAFileOfExactlyTheUsualSizeAndNotAByteMore) {
  EXPECT_EQ(sh("head -c 536870912 /dev/zero > all && stat -c %s all\n"
               "LC_ALL=C printf x 2>&1 >> all | grep -o 'No space left on device'; stat -c %s all\n",
               512 * kMegabyte),
            "536870912\nNo space left on device\n536870912\n");
}

TEST_F(TmpDiskTest, SaysNoSpaceAndIsBoundedInFiles) {
  EXPECT_EQ(
      sh("LC_ALL=C head -c 20M /dev/zero 2>&1 > big | grep -o 'No space left on device'; rm big\n"
         "python3 - <<'END'\nimport errno\nn = 0\ntry:\n  while n < 100000:\n    open('f%d' % n, 'w').close(); n += 1\n"
         "except OSError as e: print(errno.errorcode[e.errno], n < 20000)\nEND\n",
         16 * kMegabyte),
      "No space left on device\nENOSPC True\n");
}

TEST_F(TmpDiskTest, IsNotCountedAsMemory) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  EXPECT_EQ(sh("head -c 400M /dev/zero > big && stat -c %s big\n", 512 * kMegabyte, 128 * kMegabyte), "419430400\n");
}

TEST_F(TmpDiskTest, LeavesTheWholeMemoryLimitToTheProgramAndNoMore) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  CodeDirectory code;
  code.file("bootstrap", "#!/usr/bin/python3\nimport sys\nx = b'x' * (int(sys.argv[1]) << 20)\nprint(len(x) >> 20)\n");
  for (const bool fits : {true, false}) {
    auto made = make(
        *launcher_,
        {.id = next_id(), .memory_bytes = 128 * kMegabyte, .tmp_bytes = 512 * kMegabyte, .task = code.descriptor()});
    ASSERT_TRUE(made) << made.error().message();
    if (!made->environment->has_memory_cgroup()) GTEST_SKIP() << "no memory cgroup here";
    auto ran = run(*made->environment, {.candidates = {"/var/task/bootstrap"},
                                        .arguments = {fits ? "90" : "160"},
                                        .variables = {"PATH=/usr/bin"},
                                        .working_directory = "/tmp"});
    ASSERT_TRUE(ran) << ran.error().message();
    const auto* exited = std::get_if<Exited>(&ran->event);
    ASSERT_NE(exited, nullptr);
    EXPECT_EQ(exited->out_of_memory, !fits) << ran->log;
    EXPECT_EQ(ran->log, fits ? "90\n" : "");
  }
}

TEST_F(TmpDiskTest, ShowsNothingOfWhoHadTheDiskBefore) {
  for (int round = 0; round < 6; ++round) {
    EXPECT_EQ(sh("ls -A /tmp; stat -c %s /tmp; [ $(($(date +%s) - $(stat -c %Y /tmp))) -lt 100 ] && echo now; grep -a "
                 "-c secret /tmp/* 2>/dev/null\n"
                 "[ " +
                     std::to_string(round % 2) +
                     " = 0 ] && { mkdir -p d; echo secret > d/f; echo secret > g; rm -r d g; }; true\n",
                 64 * kMegabyte),
              "4096\nnow\n")
        << "round " << round;
  }
}

// Images on a file system of their own, so that what they take up can be seen.
class TmpDiskRoomTest : public TmpDiskTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can mount disks";
    ASSERT_EQ(::mount("images", images_.path().c_str(), "tmpfs", 0, "size=1g"), 0);
    TmpDiskTest::SetUp();
  }
  void TearDown() override {
    launcher_.reset();
    ::umount2(images_.path().c_str(), MNT_DETACH);
  }
  std::uint64_t megabytes_taken() {
    struct statvfs status{};
    EXPECT_EQ(::statvfs(images_.path().c_str(), &status), 0);
    return (status.f_blocks - status.f_bfree) * status.f_frsize / kMegabyte;
  }
};

TEST_F(TmpDiskRoomTest, OfWhatWasFilledAndEmptiedIsGivenBack) {
  EXPECT_EQ(sh("head -c 300M /dev/zero > f && sync f && stat -c %s f; rm f; sync /tmp\n"), "314572800\n");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (megabytes_taken() > 100 && std::chrono::steady_clock::now() < deadline) ::usleep(10'000);
  EXPECT_LE(megabytes_taken(), 100U);
}

TEST_F(TmpDiskTest, ServesManyAtOnce) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/bash\nhead -c 1M /dev/zero > /tmp/x && echo $?\n");
  std::vector<EnvironmentSpec> specs;
  constexpr std::size_t kCount = 20;
  for (std::size_t i = 0; i < kCount; ++i) {
    specs.push_back({.id = next_id(), .tmp_bytes = 512 * kMegabyte, .task = code.descriptor()});
    ASSERT_TRUE(launcher_->request(specs.back()));
  }
  std::vector<Environment> environments;
  for (std::size_t i = 0; i < kCount; ++i) {
    auto reply = wait_reply(*launcher_);
    ASSERT_TRUE(reply) << reply.error().message();
    ASSERT_TRUE(reply->environment) << reply->environment.error().message();
    environments.push_back(std::move(*reply->environment));
  }
  for (Environment& environment : environments) {
    auto listening = wait_event(environment);
    ASSERT_TRUE(listening && std::holds_alternative<Listening>(*listening));
    auto ran = run(environment, {.candidates = {"/var/task/bootstrap"},
                                 .arguments = {},
                                 .variables = {"PATH=/usr/bin:/bin"},
                                 .working_directory = "/"});
    ASSERT_TRUE(ran);
    EXPECT_EQ(ran->log, "0\n");
  }
}

// 10,000 in `make soak`; what each would leave shows after far fewer.
TEST_F(TmpDiskTest, LeavesNothingInTheLauncherHoweverManyThereWere) {
  const int count = std::getenv("OGNI_SOAK") != nullptr ? 10'000 : 100;
  constexpr std::ptrdiff_t kMadeAhead = 30;  // descriptors of a blank environment or disk more or less
  const std::string keeper = std::to_string(launcher_->pid());
  const auto children = read_file("/proc/" + keeper + "/task/" + keeper + "/children");
  ASSERT_TRUE(children && !children->empty());
  const std::string launcher = std::to_string(std::stoi(*children));
  const auto entries = [](const std::filesystem::path& directory) {
    return std::distance(std::filesystem::directory_iterator(directory), std::filesystem::directory_iterator());
  };
  const auto descriptors = [&] { return entries("/proc/" + launcher + "/fd"); };
  const auto processes = [&] {
    const auto now = read_file("/proc/" + launcher + "/task/" + launcher + "/children");
    return now ? std::ranges::count(*now, ' ') : -1;
  };
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/sh\nexit 0\n");
  const auto live = [&] {
    auto made = make(*launcher_, {.id = next_id(), .tmp_bytes = 512 * kMegabyte, .task = code.descriptor()});
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_TRUE(close_and_wait(*made->environment));
  };
  for (int i = 0; i < 20; ++i) live();
  std::ptrdiff_t most_descriptors = 0, most_processes = 0;
  // What is made ahead comes and goes, so the most of a while is compared with the least of another.
  for (int i = 0; i < 20; ++i) {
    live();
    most_descriptors = std::max(most_descriptors, descriptors());
    most_processes = std::max<std::ptrdiff_t>(most_processes, processes());
  }
  for (int i = 0; i < count; ++i) live();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while ((descriptors() > most_descriptors + kMadeAhead || processes() > most_processes + 4) &&
         std::chrono::steady_clock::now() < deadline) {
    ::usleep(10'000);
  }
  EXPECT_LE(descriptors(), most_descriptors + kMadeAhead);
  EXPECT_LE(processes(), most_processes + 4);
}

TEST_F(TmpDiskTest, LeavesNoDeviceAndNoFile) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sh("echo x > x; cat x", 64 * kMegabyte), "x\n");
  struct stat images{};
  ASSERT_EQ(::stat(images_.path().c_str(), &images), 0);
  const auto used = [&] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/sys/block")) {
      const auto file = read_file(entry.path() / "loop" / "backing_file", 4096);
      if (file && file->starts_with(images_.path().string())) ++count;
    }
    return count;
  };
  EXPECT_GT(used(), 0U);
  launcher_.reset();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (used() > 0 && std::chrono::steady_clock::now() < deadline) ::usleep(10'000);
  EXPECT_EQ(used(), 0U);
  EXPECT_TRUE(std::filesystem::is_empty(images_.path()));
}

}  // namespace
}  // namespace ogni::sandbox::testing
