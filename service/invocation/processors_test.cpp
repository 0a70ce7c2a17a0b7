#include "service/invocation/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_directory.h"

namespace ogni::service {
namespace {

using namespace std::chrono_literals;

class ProcessorsTest : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const auto file = root_.path() / path.substr(1);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::string root() const { return root_.path().string(); }
  static std::size_t allowed() {
    cpu_set_t set;
    CPU_ZERO(&set);
    EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    return static_cast<std::size_t>(CPU_COUNT(&set));
  }
  static std::string first() {
    cpu_set_t set;
    CPU_ZERO(&set);
    EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) return std::to_string(i);
    }
    return "0";
  }
  // Of one processor that this process may use, and of one that it may not.
  void write_idle_ticks(int ticks, int waiting = 0) {
    write("/proc/stat", "cpu  9 9 9 99999 9 0 0\ncpu" + first() + " 1 2 3 " + std::to_string(ticks) + " " +
                            std::to_string(waiting) + " 0 0 0\ncpu8000 1 2 3 " + std::to_string(ticks * 100) +
                            " 0 0 0 0\nintr 1\n");
  }

  TemporaryDirectory root_;
  std::chrono::steady_clock::time_point now_{1h};
};

TEST_F(ProcessorsTest, AreThoseOfTheAffinityWithoutQuota) {
  EXPECT_EQ(Processors(root()).count(), allowed());
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(Processors(root()).count(), allowed());
}

TEST_F(ProcessorsTest, TheTightestQuotaOfTheGroupsAboveHolds) {
  write("/proc/self/cgroup", "0::/a.slice/b.service\n");
  write("/sys/fs/cgroup/a.slice/cpu.max", "50000 100000\n");
  write("/sys/fs/cgroup/a.slice/b.service/cpu.max", "9900000 100000\n");
  EXPECT_EQ(Processors(root()).count(), 1U);
}

TEST_F(ProcessorsTest, TheOldHierarchysQuotaHoldsToo) {
  write("/proc/self/cgroup", "3:cpuset:/\n2:cpu,cpuacct:/box\n0::/\nnonsense\n");
  write("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "100000\n");
  write("/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Processors(root()).count(), 1U);
  write("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(Processors(root()).count(), allowed());
}

TEST_F(ProcessorsTest, AreIdleIfTheyHadNothingToDoForMostOfTheTime) {
  write_idle_ticks(100);
  Processors processors(root());
  EXPECT_EQ(processors.idle(now_), 0U) << "nothing to compare with";
  write_idle_ticks(140);
  EXPECT_EQ(processors.idle(now_ += 1s), 0U) << "0.4 s of 1 s";
  write_idle_ticks(200, 30);
  EXPECT_EQ(processors.idle(now_ += 1s), 1U) << "waiting for a disk is idling";
  EXPECT_EQ(processors.idle(now_), 0U) << "no time has passed";
  write_idle_ticks(9000);
  EXPECT_EQ(processors.idle(now_ += 1min), 0U) << "most of that was not lately";
}

TEST_F(ProcessorsTest, AreNotIdleWhereTheGroupHasUsedItsQuota) {
  write("/proc/self/cgroup", "0::/box\n");
  write("/sys/fs/cgroup/box/cpu.max", "50000 100000\n");
  write("/sys/fs/cgroup/box/cpu.stat", "usage_usec 0\nuser_usec 0\n");
  write_idle_ticks(0);
  Processors processors(root());
  processors.idle(now_);
  write_idle_ticks(100);
  write("/sys/fs/cgroup/box/cpu.stat", "usage_usec 450000\nuser_usec 0\n");
  EXPECT_EQ(processors.idle(now_ += 1s), 0U) << "0.45 of 0.5 s";
  write_idle_ticks(200);
  write("/sys/fs/cgroup/box/cpu.stat", "usage_usec 500000\nuser_usec 0\n");
  EXPECT_EQ(processors.idle(now_ += 1s), 1U);
}

TEST_F(ProcessorsTest, AreNotSaidToBeIdleWhereTheKernelDoesNotTell) {
  for (const char* stat : {"", "cpu  1 2 3 4\n", "cpu0 x\n", "cpu8000 1 2 3 4 5\n"}) {
    write("/proc/stat", stat);
    Processors processors(root());
    EXPECT_EQ(processors.idle(now_), 0U);
    EXPECT_EQ(processors.idle(now_ + 1s), 0U);
  }
  EXPECT_EQ(Processors(root() + "/nothing").idle(now_), 0U);
}

TEST_F(ProcessorsTest, OfThisHostCanBeAsked) {
  Processors processors;
  EXPECT_GE(processors.count(), 1U);
  EXPECT_LE(processors.count(), allowed());
  processors.idle(now_);
  EXPECT_LE(processors.idle(now_ + 1s), allowed());
}

}  // namespace
}  // namespace ogni::service
