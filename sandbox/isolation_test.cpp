// What a program in a namespace environment sees, and attacks that must fail.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "sandbox/test_environment.h"

namespace ogni::sandbox::testing {
namespace {

class IsolationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    launcher_ = start_launcher(Strength::kNamespace, why);
    if (launcher_ == nullptr) GTEST_SKIP() << "this host cannot have namespaces: " << why;
  }
  std::string sh(const std::string& script) { return run_script(*launcher_, script); }
  // The log of `program` (already in `spec`'s directories).
  std::string run_in(const EnvironmentSpec& spec, const Program& program) {
    auto made = make(*launcher_, spec);
    if (!made) return "not made: " + made.error().message();
    auto ran = run(*made->environment, program);
    return ran ? ran->log : "not run: " + ran.error().message();
  }

  std::unique_ptr<Launcher> launcher_;
};

TEST_F(IsolationTest, IsItsOwnUserWithoutAnyPrivilege) {
  EXPECT_EQ(sh("id -u; id -g; id -un; id -Gn; hostname; grep -E '^Cap' /proc/self/status | tr '\\n' ' '"),
            "993\n993\nsbx_user1051\nsbx_user1051\nsandbox\n"
            "CapInh:\t0000000000000000 CapPrm:\t0000000000000000 CapEff:\t0000000000000000 "
            "CapBnd:\t0000000000000000 CapAmb:\t0000000000000000 ");
}

TEST_F(IsolationTest, SeesNothingOfTheHostButItsSystemDirectories) {
  EXPECT_EQ(sh("ls -d /home /root /sys /mnt /boot /work /srv 2>/dev/null; ls -A /opt /var/task/.. /var/runtime /tmp; "
               "ls /dev"),
            "/opt:\n\n/tmp:\n\n/var/runtime:\n\n/var/task/..:\nlang\nruntime\ntask\ntmp\n"
            "fd\nfull\nnull\nrandom\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n");
  EXPECT_EQ(sh("ls /etc/shadow /etc/sudoers /etc/ssh /etc/ssl/private /etc/machine-id /etc/gshadow 2>/dev/null; "
               "cat /etc/resolv.conf; cut -d: -f1 /etc/passwd"),
            "root\nnobody\nsbx_user1051\n");
}

TEST_F(IsolationTest, SeesTheSameCertificatesAndLibrariesAsTheHost) {
  const std::string host = std::to_string(std::filesystem::exists("/etc/ld.so.cache")) + "\n";
  EXPECT_EQ(sh("test -e /etc/ld.so.cache && echo 1 || echo 0"), host);
  if (std::filesystem::exists("/etc/ssl/certs/ca-certificates.crt")) {
    const auto certificates = read_file("/etc/ssl/certs/ca-certificates.crt", 8 << 20);
    ASSERT_TRUE(certificates);
    EXPECT_EQ(sh("wc -c < /etc/ssl/certs/ca-certificates.crt"), std::to_string(certificates->size()) + "\n");
  }
}

TEST_F(IsolationTest, CanWriteToTmpOnly) {
  EXPECT_EQ(sh("for d in / /usr /usr/bin /etc /var /var/task /var/runtime /opt /dev /var/tmp; do "
               "(: > $d/x) 2>/dev/null && echo wrote $d; done; echo hi > /tmp/x; cat /tmp/x; stat -c %a /tmp; "
               "(: > /var/task/x) 2>&1 | grep -o 'Read-only file system'; grep -cE ' /tmp [^ ]* [^ ]*nosuid,nodev' "
               "/proc/mounts"),
            "hi\n1777\nRead-only file system\n1\n");
}

TEST_F(IsolationTest, GetsTmpOfTheSizeItAskedFor) {
  CodeDirectory code;
  code.file("bootstrap",
            "#!/bin/sh\nhead -c 8388608 /dev/zero > /tmp/fill 2>/dev/null || echo full\nstat -c %s /tmp/fill\n");
  EXPECT_EQ(
      run_in({.id = next_id(), .tmp_bytes = 4 << 20, .task = code.descriptor()}, {.candidates = {"/var/task/bootstrap"},
                                                                                  .arguments = {},
                                                                                  .variables = {"PATH=/usr/bin"},
                                                                                  .working_directory = "/"}),
      "full\n4194304\n");
}

TEST_F(IsolationTest, HasBashForShAndLeavesDashAlone) {
  if (!std::filesystem::exists("/usr/bin/dash")) GTEST_SKIP() << "needs dash";
  EXPECT_EQ(sh("for s in /bin/sh /usr/bin/sh /bin/dash; do $s -c 'echo $0 ${BASH_VERSION:+bash}'; done"),
            "/bin/sh bash\n/usr/bin/sh bash\n/bin/dash\n");
}

TEST_F(IsolationTest, CanUseItsStandardStreamsByName) {
  EXPECT_EQ(sh("echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin; cat <(echo sub); echo x > /dev/null; "
               "head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c"),
            "out\nerr\nsub\n4\n4\n");
}

TEST_F(IsolationTest, HasLoopbackOnly) {
  EXPECT_EQ(
      sh("grep -oE '^ *[a-z0-9]+:' /proc/net/dev | tr -d ' '; (exec 3<>/dev/tcp/127.0.0.1/9001) && echo listening; "
         "(exec 3<>/dev/udp/192.0.2.1/53) 2>&1 | grep -o unreachable | sort -u"),
      "lo:\nlistening\nunreachable\n");
}

TEST_F(IsolationTest, SeesItsOwnProcessesOnly) {
  EXPECT_EQ(sh("set -- /proc/[0-9]*; echo $*; cat /proc/1/environ /proc/1/maps 2>/dev/null; ls /proc/1/fd 2>/dev/null"),
            "/proc/2\n");
}

TEST_F(IsolationTest, SeesNoPathOfTheHostsCgroups) {
  EXPECT_EQ(sh("cut -d: -f3 /proc/self/cgroup | grep -F ogni-"), "");
}

TEST_F(IsolationTest, OutlivesEverySignalToItsInit) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/bash\nfor s in {1..64}; do kill -$s 1; done 2>/dev/null\necho sent\n");
  auto made = make(*launcher_, {.id = next_id(), .tmp_bytes = 1 << 20, .task = code.descriptor()});
  ASSERT_TRUE(made) << made.error().message();
  const Program program{
      .candidates = {"/var/task/bootstrap"}, .arguments = {}, .variables = {"PATH=/usr/bin"}, .working_directory = "/"};
  for (int again = 0; again < 2; ++again) {
    auto ran = run(*made->environment, program);
    ASSERT_TRUE(ran) << ran.error().message();
    EXPECT_EQ(ran->log, "sent\n");
  }
}

TEST_F(IsolationTest, RefusesWhatNeedsPrivilege) {
  EXPECT_EQ(
      sh("unshare -Ur true 2>/dev/null && echo new user namespace; unshare -m true 2>/dev/null && echo new mounts; "
         "mount -t tmpfs none /tmp 2>/dev/null && echo mounted; mount -o remount,rw / 2>/dev/null && echo remounted; "
         "umount /proc 2>/dev/null && echo unmounted; chroot / true 2>/dev/null && echo chroot; "
         "mknod /tmp/disk b 8 0 2>/dev/null && echo device; hostname other 2>/dev/null && echo renamed; "
         "(echo 1 > /proc/sys/kernel/sysrq) 2>/dev/null && echo sysctl; "
         "(echo b > /proc/sysrq-trigger) 2>/dev/null && echo sysrq; chown 0 /tmp 2>/dev/null && echo chown; "
         "ip link set lo down 2>/dev/null && echo link down; echo done"),
      "done\n");
}

TEST_F(IsolationTest, CannotGainPrivilegeBySetuidPrograms) {
  EXPECT_EQ(sh("cp /usr/bin/id /tmp/id; chmod 4755 /tmp/id; /tmp/id -u;"
               "grep NoNewPrivs /proc/self/status"),
            "993\nNoNewPrivs:\t1\n");
}

TEST_F(IsolationTest, MergesLayersInOrder) {
  CodeDirectory code, first, second, third;
  code.file(
      "bootstrap",
      "#!/bin/sh\ncd /opt; find . -type f | sort; cat both; cat bin/tool; (: > /opt/x) 2>/dev/null && echo wrote\n");
  first.file("both", "first\n").file("only-first", "").file("bin/tool", "tool 1\n");
  second.file("both", "second\n").file("bin/other", "");
  third.file("bin/tool", "tool 3\n");
  const Program program{
      .candidates = {"/var/task/bootstrap"}, .arguments = {}, .variables = {"PATH=/usr/bin"}, .working_directory = "/"};

  const std::string log = run_in({.id = next_id(),
                                  .tmp_bytes = 1 << 20,
                                  .task = code.descriptor(),
                                  .layers = {first.descriptor(), second.descriptor(), third.descriptor()}},
                                 program);

  if (log.starts_with("not made: ") && log.find("overlay") != std::string::npos) GTEST_SKIP() << log;
  EXPECT_EQ(log, "./bin/other\n./bin/tool\n./both\n./only-first\nsecond\ntool 3\n");
}

TEST_F(IsolationTest, FindsTheProgramInALayerOrTheRuntime) {
  CodeDirectory layer, runtime;
  layer.file("bootstrap", "#!/bin/sh\necho layer; ls /var/runtime\n");
  runtime.file("helper", "");
  EXPECT_EQ(
      run_in({.id = next_id(), .tmp_bytes = 1 << 20, .layers = {layer.descriptor()}, .runtime = runtime.descriptor()},
             {.candidates = {"/var/task/bootstrap", "/opt/bootstrap"},
              .arguments = {},
              .variables = {"PATH=/usr/bin"},
              .working_directory = "/var/task"}),
      "layer\nhelper\n");
}

TEST_F(IsolationTest, RunsAFewThousandForksNoFurther) {
  CodeDirectory code;
  code.file("bootstrap",
            "#!/usr/bin/python3\nimport os,time\nn=0\ntry:\n  while n<2000:\n    if os.fork()==0: time.sleep(1000)\n   "
            " n+=1\n"
            "except OSError: print('bounded' if n<1024 else n,flush=True)\n");
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  EXPECT_EQ(
      run_in({.id = next_id(), .tmp_bytes = 1 << 20, .task = code.descriptor()}, {.candidates = {"/var/task/bootstrap"},
                                                                                  .arguments = {},
                                                                                  .variables = {"PATH=/usr/bin"},
                                                                                  .working_directory = "/"}),
      "bounded\n");
}

}  // namespace
}  // namespace ogni::sandbox::testing
