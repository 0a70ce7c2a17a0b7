// Memory cgroups: what is counted, and what happens at the limit.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <stop_token>
#include <thread>

#include "sandbox/test_environment.h"

namespace ogni::sandbox::testing {
namespace {

class MemoryTest : public LauncherTest {
 protected:
  void SetUp() override {
    LauncherTest::SetUp();
    if (launcher_ == nullptr) return;
    if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
    CodeDirectory code;
    auto made = make(*launcher_, spec(code));
    ASSERT_TRUE(made) << made.error().message();
    if (!made->environment->has_memory_cgroup()) GTEST_SKIP() << "this host lets this user have no memory cgroup";
  }
  // With little memory: 64 MiB, and as good as no /tmp.
  Result<Made> make_small(const CodeDirectory& code) {
    EnvironmentSpec small = spec(code);
    small.memory_bytes = 64 << 20;
    small.tmp_bytes = 1 << 20;
    return make(*launcher_, small);
  }
  static constexpr const char* kEndless = "#!/usr/bin/python3\nb=[]\nwhile True: b.append(bytearray(1<<20))\n";
};
INSTANTIATE_TEST_SUITE_P(Strengths, MemoryTest, ::testing::Values(Strength::kNamespace, Strength::kProcess),
                         [](const auto& strength) { return std::string(to_string(strength.param)); });

TEST_P(MemoryTest, DoesNotCountThePageCache) {
  CodeDirectory code;
  code.file("bootstrap",
            "#!/usr/bin/python3\nimport time\nn=0\nwith open(__import__('os').environ['DATA'],'rb') as f:\n"
            "  while True:\n    b=f.read(1<<20)\n    if not b: break\n    "
            "n+=len(b)\nprint(n,flush=True)\ntime.sleep(1000)\n");
  code.file("data", std::string(200 << 20, 'x'), 0644);
  EnvironmentSpec limited = spec(code);
  limited.memory_bytes = 512 << 20;
  auto made = make(*launcher_, limited);
  ASSERT_TRUE(made) << made.error().message();

  ASSERT_TRUE(made->environment->start(bootstrap(code, {"DATA=" + task(code, "data")})));

  ASSERT_TRUE(wait_readable(made->environment->log_descriptor(), kPatience));
  EXPECT_EQ(drain_log(*made->environment), std::to_string(200 << 20) + "\n");
  const auto used = made->environment->memory_bytes();
  ASSERT_TRUE(used) << used.error().message();
  EXPECT_GT(*used, 1U << 20);
  EXPECT_LT(*used, 40U << 20);
}

TEST_P(MemoryTest, ReportsAProgramThatWasKilledForItsMemory) {
  CodeDirectory code;
  code.file("bootstrap", kEndless);
  code.file("small", "#!/bin/bash\nkill -9 $$\n");
  auto made = make_small(code);
  ASSERT_TRUE(made) << made.error().message();

  auto ran = run(*made->environment, bootstrap(code));

  ASSERT_TRUE(ran) << ran.error().message();
  const auto* exited = std::get_if<Exited>(&ran->event);
  ASSERT_NE(exited, nullptr);
  EXPECT_TRUE(WIFSIGNALED(exited->wait_status) && WTERMSIG(exited->wait_status) == SIGKILL);
  EXPECT_TRUE(exited->out_of_memory);

  // The environment goes on, and the next death is not put down to memory.
  Program small = bootstrap(code);
  small.candidates = {task(code, "small")};
  ran = run(*made->environment, small);
  ASSERT_TRUE(ran) << ran.error().message();
  exited = std::get_if<Exited>(&ran->event);
  ASSERT_NE(exited, nullptr);
  EXPECT_FALSE(exited->out_of_memory);
}

TEST_P(MemoryTest, EndsTheWholeEnvironmentWhenOneOfItsProcessesHasTooMuch) {
  CodeDirectory code;
  code.file("bootstrap",
            "#!/bin/bash\n/usr/bin/python3 -c 'b=[]\nwhile True: b.append(bytearray(1<<20))'\n"
            "echo lives on\nwhile :; do sleep 1000; done\n");
  auto made = make_small(code);
  ASSERT_TRUE(made) << made.error().message();

  auto ran = run(*made->environment, bootstrap(code));

  ASSERT_TRUE(ran) << ran.error().message();
  const auto* exited = std::get_if<Exited>(&ran->event);
  ASSERT_NE(exited, nullptr);
  EXPECT_TRUE(exited->out_of_memory);
}

// Reads of every process what only its memory can tell, as monitors do: meanwhile that outlives the process.
void look_at_all_processes(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      [[maybe_unused]] const auto read = read_file(entry.path() / "smaps_rollup", 4096);
    }
  }
}

TEST_P(MemoryTest, TheNextProgramHasItAllAlthoughOthersLookAtTheLast) {
  CodeDirectory code;
  code.file("bootstrap", kEndless);
  code.file("half", "#!/usr/bin/python3\nb=bytearray(b'x')*(32<<20)\nprint(len(b))\n");
  auto made = make_small(code);
  ASSERT_TRUE(made) << made.error().message();
  Program half = bootstrap(code);
  half.candidates = {task(code, "half")};
  const std::array<std::jthread, 3> readers = {std::jthread(look_at_all_processes), std::jthread(look_at_all_processes),
                                               std::jthread(look_at_all_processes)};

  for (int round = 0; round < 4; ++round) {
    auto ran = run(*made->environment, bootstrap(code));
    ASSERT_TRUE(ran) << "round " << round << ": " << ran.error().message();
    const auto* exited = std::get_if<Exited>(&ran->event);
    ASSERT_NE(exited, nullptr);
    EXPECT_TRUE(exited->out_of_memory);

    ran = run(*made->environment, half);
    ASSERT_TRUE(ran) << "round " << round << ": " << ran.error().message();
    exited = std::get_if<Exited>(&ran->event);
    ASSERT_NE(exited, nullptr);
    EXPECT_FALSE(exited->out_of_memory) << "round " << round;
    EXPECT_EQ(ran->log, "33554432\n");
  }
}

TEST_P(MemoryTest, TellsThePeakOfWhatHasBeenGivenBack) {
  CodeDirectory code;
  code.file("bootstrap",
            "#!/usr/bin/python3\nimport time\nb=bytearray(b'x')*(200<<20)\ndel b\nprint('ok',flush=True)\n"
            "time.sleep(1000)\n");
  EnvironmentSpec limited = spec(code);
  limited.memory_bytes = 512 << 20;
  auto made = make(*launcher_, limited);
  ASSERT_TRUE(made) << made.error().message();

  ASSERT_TRUE(made->environment->start(bootstrap(code)));

  ASSERT_TRUE(wait_readable(made->environment->log_descriptor(), kPatience));
  const auto now = made->environment->memory_bytes();
  const auto peak = made->environment->memory_peak_bytes();
  ASSERT_TRUE(now && peak);
  EXPECT_LT(*now, 60U << 20);
  EXPECT_GT(*peak, 195U << 20);
  EXPECT_LT(*peak, 300U << 20);
}

// What an ordinary user gets where no cgroup is to be had; the init's look needs none.
class MemoryWatchTest : public LauncherTest {
 protected:
  std::string run_small(const std::string& script);
};
INSTANTIATE_TEST_SUITE_P(Strengths, MemoryWatchTest, ::testing::Values(Strength::kNamespace, Strength::kProcess),
                         [](const auto& strength) { return std::string(to_string(strength.param)); });

TEST_P(MemoryWatchTest, TheInitEndsWhatIsAboveTheLimitBeforeItIsMuchMore) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  CodeDirectory code;
  code.file("bootstrap",
            "#!/usr/bin/python3\nimport os\nif os.fork() == 0:\n  b=[]\n  while len(b) < 2000:\n"
            "    b.append(bytearray(b'x')*(1<<20))\n    if len(b) % 8 == 0: print(len(b), flush=True)\n"
            "os.wait()\nprint('lives on', flush=True)\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  Program program = bootstrap(code);
  program.memory_bytes = 128 << 20;

  auto ran = run(*made->environment, program);

  ASSERT_TRUE(ran) << ran.error().message();
  const auto* exited = std::get_if<Exited>(&ran->event);
  ASSERT_NE(exited, nullptr);
  EXPECT_TRUE(exited->out_of_memory);
  EXPECT_EQ(ran->log.find("lives on"), std::string::npos);
  const std::size_t last = ran->log.rfind('\n', ran->log.size() - 2);
  const long reached = std::stol(ran->log.substr(last == std::string::npos ? 0 : last + 1));
  EXPECT_GT(reached, 90);
  EXPECT_LE(reached, 128 + 256) << "MiB";
}

TEST_P(MemoryWatchTest, WhoHidesIsSeen) {
  if (!is_namespace()) GTEST_SKIP() << "without walls nothing is promised";
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  CodeDirectory code;
  code.file("bootstrap",
            "#!/usr/bin/python3\nimport ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\nb=[]\n"
            "while len(b) < 1000: b.append(bytearray(b'x')*(1<<20))\nprint('lives on', flush=True)\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  if (made->environment->has_memory_cgroup()) GTEST_SKIP() << "here the kernel counts";
  for (int round = 0; round < 2; ++round) {  // the second program is started in another way
    Program program = bootstrap(code);
    program.memory_bytes = 128 << 20;

    auto ran = run(*made->environment, program);

    ASSERT_TRUE(ran) << ran.error().message();
    const auto* exited = std::get_if<Exited>(&ran->event);
    ASSERT_NE(exited, nullptr);
    EXPECT_TRUE(exited->out_of_memory);
    EXPECT_EQ(ran->log, "");
  }
}

// What `script` of Python comes to with 128 MiB: its log, and "out of memory".
std::string MemoryWatchTest::run_small(const std::string& script) {
  CodeDirectory code;
  code.file("bootstrap", "#!/usr/bin/python3\n" + script);
  auto made = make(*launcher_, spec(code));
  if (!made) return made.error().message();
  Program program = bootstrap(code);
  program.memory_bytes = 128 << 20;
  auto ran = run(*made->environment, program);
  if (!ran) return ran.error().message();
  const auto* exited = std::get_if<Exited>(&ran->event);
  return ran->log + (exited != nullptr && exited->out_of_memory ? "out of memory" : "");
}

TEST_P(MemoryWatchTest, PageTablesCount) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  // A page in every 2 MiB: 100 MiB of pages, and as much of tables.
  EXPECT_EQ(
      run_small("import mmap, time\nm=mmap.mmap(-1, 50<<30, mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS|0x4000)\n"
                "m.madvise(15)\nfor i in range(25000): m[i<<21]=1\ntime.sleep(5)\nprint('lives on', flush=True)\n"),
      "out of memory");
}

TEST_P(MemoryWatchTest, VeryManyPipesCount) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  EXPECT_EQ(run_small("import os, time\nfor i in range(60):\n  if os.fork() == 0:\n"
                      "    for j in range(500): os.write(os.pipe()[1], bytes(4096))\n    time.sleep(30)\n"
                      "    os._exit(0)\ntime.sleep(5)\nprint('lives on', flush=True)\n"),
            "out of memory");
}

TEST_P(MemoryWatchTest, QueuesOfSocketsCount) {
  if (!is_namespace()) GTEST_SKIP() << "without a network namespace they are anybody's";
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  EXPECT_EQ(
      run_small("import socket, time\nl=socket.create_server(('127.0.0.1', 0))\nkept=[]\n"
                "for i in range(150):\n  a=socket.create_connection(l.getsockname())\n  kept+=[a, l.accept()[0]]\n"
                "  a.setblocking(False)\n  try:\n    while True: a.send(bytes(1<<18))\n"
                "  except BlockingIOError: pass\ntime.sleep(2)\nprint('lives on', flush=True)\n"),
      "out of memory");
}

TEST_P(MemoryWatchTest, WhoseMemoryTakesLongToCountIsEnded) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  EXPECT_EQ(run_small("import ctypes, mmap, os, time\nshared=mmap.mmap(-1, 32<<20)\nshared.write(b'x'*(32<<20))\n"
                      "areas=mmap.mmap(-1, 60000*4096)\nlibc=ctypes.CDLL(None)\n"
                      "begin=ctypes.addressof(ctypes.c_char.from_buffer(areas))\n"
                      "for i in range(0, 60000, 2): libc.mprotect(ctypes.c_void_p(begin+i*4096), 4096, 1)\n"
                      "for i in range(30):\n  if os.fork() == 0:\n    shared.find(b'y')\n    time.sleep(30)\n"
                      "    os._exit(0)\nfor i in range(30): os.wait()\nprint('lives on', flush=True)\n"),
            "out of memory");
}

TEST_P(MemoryWatchTest, WhatIsSharedCountsOnce) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  CodeDirectory code;
  code.file("bootstrap",
            "#!/usr/bin/python3\nimport mmap, os, time\nm=mmap.mmap(-1, 64<<20)\nm.write(b'x'*(64<<20))\n"
            "for i in range(4):\n  if os.fork() == 0:\n    m.find(b'y')\n    time.sleep(0.5)\n    os._exit(0)\n"
            "for i in range(4): os.wait()\nos._exit(5)\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  Program program = bootstrap(code);
  program.memory_bytes = 200 << 20;

  auto ran = run(*made->environment, program);

  ASSERT_TRUE(ran) << ran.error().message();
  const auto* exited = std::get_if<Exited>(&ran->event);
  ASSERT_NE(exited, nullptr);
  EXPECT_FALSE(exited->out_of_memory);
  EXPECT_EQ(WEXITSTATUS(exited->wait_status), 5);
}

}  // namespace
}  // namespace ogni::sandbox::testing
