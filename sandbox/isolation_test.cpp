// What a program in a namespace environment sees, and attacks that must fail.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
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

TEST_F(IsolationTest, TellsNothingOfTheHostInProcAndMounts) {
  CodeDirectory code, layer;
  code.file("bootstrap",
            "#!/bin/bash\nawk '{print $5}' /proc/self/mountinfo | sort | uniq | grep -vE '^/(usr|bin|lib|sbin|dev)' | "
            "tr '\\n' ' '\necho; grep -cF \"$1\" /proc/self/mountinfo\n"
            "cat /proc/keys /proc/cmdline /proc/kallsyms /proc/modules /proc/interrupts /proc/kcore /proc/key-users "
            "/proc/timer_list 2>/dev/null | wc -c\nls -A /proc/bus /proc/irq /proc/fs /proc/scsi 2>/dev/null | grep -v "
            ": | grep .\n"
            "for f in $(find /proc/sys -type f 2>/dev/null | head -3000); do [ -w $f ] && echo can write $f; done\n"
            "(echo 1 > /proc/sys/net/ipv4/ip_forward) 2>/dev/null && echo set\n"
            "cat /proc/sys/user/max_user_namespaces; grep -c MemTotal /proc/meminfo; ls /dev/shm /sys 2>/dev/null\n");
  layer.file("x", "");
  const std::string log =
      run_in({.id = next_id(), .tmp_bytes = 1 << 20, .task = code.descriptor(), .layers = {layer.descriptor()}},
             {.candidates = {"/var/task/bootstrap"},
              .arguments = {std::filesystem::path(code.path()).parent_path().filename()},
              .variables = {"PATH=/usr/bin"},
              .working_directory = "/"});
  std::istringstream lines(log);
  std::string mounts, paths, bytes, rest;
  std::getline(lines, mounts);
  std::getline(lines, paths);
  std::getline(lines, bytes);
  std::getline(lines, rest, '\0');
  EXPECT_NE(mounts.find("/opt /proc "), std::string::npos) << log;
  EXPECT_EQ(paths, "0") << "a path of the host shows in mountinfo";
  EXPECT_EQ(bytes, "0") << log;
  EXPECT_EQ(rest, "0\n1\n");
}

TEST_F(IsolationTest, HasSharedMemoryOnlyWhereToldTo) {
  launcher_.reset();
  const Fd program = open_launcher_program();
  auto options = launcher_options(Strength::kNamespace);
  options.program = program.get();
  options.shared_memory_bytes = 1 << 20;
  auto launcher = Launcher::start(options);
  ASSERT_TRUE(launcher) << launcher.error().message();
  EXPECT_EQ(run_script(*launcher,
                       "echo x > /dev/shm/x && cat /dev/shm/x; head -c 2M /dev/zero > /dev/shm/y 2>/dev/null || "
                       "echo full; (: > /dev/x) 2>/dev/null && echo wrote"),
            "x\nfull\n");
}

TEST_F(IsolationTest, HasTheLocaleThatLangNames) {
  if (::access("/usr/bin/perl", X_OK) != 0) GTEST_SKIP() << "needs perl";
  EXPECT_EQ(
      sh("export LANG=en_US.UTF-8; perl -e 'print length(\"x\"), \"\\n\"' 2>&1; bash -c 'x=ünï; echo ${#x}' 2>&1"),
      "1\n3\n");
}

TEST_F(IsolationTest, ItsEtcFollowsTheHosts) {
  const std::filesystem::path place = "/etc/alternatives/ogni-test-" + std::to_string(::getpid());
  std::error_code error;
  std::filesystem::create_directory(place, error);
  if (error) GTEST_SKIP() << "cannot write to /etc";
  const std::unique_ptr<const std::filesystem::path, void (*)(const std::filesystem::path*)> removal(
      &place, [](const std::filesystem::path* path) { std::filesystem::remove_all(*path); });
  const std::string look = "cat " + place.string() + "/file 2>&1; readlink " + place.string() + "/link";
  sh(look);  // the launcher is there, and has not seen them
  std::ofstream(place / "file") << "one\n";
  std::filesystem::create_symlink("file", place / "link");
  EXPECT_EQ(sh(look), "one\nfile\n");
  std::ofstream(place / "fresh") << "two\n";
  std::filesystem::rename(place / "fresh", place / "file");
  std::filesystem::remove(place / "link");
  EXPECT_EQ(sh(look), "two\n");
  std::filesystem::remove_all(place);
  EXPECT_EQ(sh("ls /etc/alternatives | grep -c ogni-test-" + std::to_string(::getpid())), "0\n");
}

TEST_F(IsolationTest, HasTheLimitsOfAws) {
  EXPECT_EQ(sh("ulimit -n; ulimit -Hn; ulimit -u; ulimit -Hu; ulimit -s; ulimit -Hs; ulimit -l; ulimit -Hl; ulimit -c; "
               "ulimit -Hc; "
               "ulimit -v; ulimit -t; ulimit -f"),
            "1024\n1024\n742\n742\n8192\nunlimited\n64\n64\n" + core_blocks(512) + "\n" + core_blocks(512) +
                "\nunlimited\nunlimited\nunlimited\n");
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

// Each line is tried by number or by ctypes, so that it is the kernel that answers.
constexpr std::string_view kCalls = R"(#!/usr/bin/python3
import ctypes, errno, os, platform
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    ctypes.set_errno(0)
    result = libc.syscall(*[ctypes.c_ulong(a & (1 << 64) - 1) for a in arguments])
    return "ok" if result >= 0 else errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
def socket(*arguments):
    ctypes.set_errno(0)
    result = libc.socket(*arguments)
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]
SOCKET = {"x86_64": 41}.get(platform.machine(), 198)
SOCKETPAIR = {"x86_64": 53}.get(platform.machine(), 199)
)";

TEST_F(IsolationTest, RefusesSystemCallsThatFunctionsHaveNoBusinessWith) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  CodeDirectory code;
  const auto number = [](const char* name, long value) {
    return "print('" + std::string(name) + "', call(" + std::to_string(value) + ", 0, 0, 0, 0, 0))\n";
  };
  code.file("bootstrap",
            std::string(kCalls) + number("clone3", SYS_clone3) + number("io_uring", SYS_io_uring_setup) +
                number("userfaultfd", SYS_userfaultfd) + number("bpf", SYS_bpf) + number("perf", SYS_perf_event_open) +
                number("keyctl", SYS_keyctl) + number("add_key", SYS_add_key) + number("ptrace", SYS_ptrace) +
                number("mount", SYS_mount) + number("open_tree", SYS_open_tree) +
                number("handle", SYS_open_by_handle_at) + number("setns", SYS_setns) +
                number("module", SYS_init_module) + number("kexec", SYS_kexec_load) + number("younger", 900) +
                "print('unshare', {call(272 if platform.machine() == 'x86_64' else 97, f) for f in "
                "(1 << 17, 1 << 25, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30, 1 << 7)})\n");
  EXPECT_EQ(run_in({.id = next_id(), .tmp_bytes = 1 << 20, .task = code.descriptor()},
                   {.candidates = {"/var/task/bootstrap"}, .variables = {"PATH=/usr/bin"}, .working_directory = "/"}),
            "clone3 ENOSYS\nio_uring ENOSYS\nuserfaultfd ENOSYS\nbpf EPERM\nperf EPERM\nkeyctl EPERM\nadd_key EPERM\n"
            "ptrace EPERM\nmount EPERM\nopen_tree EPERM\nhandle EPERM\nsetns EPERM\nmodule EPERM\nkexec EPERM\n"
            "younger ENOSYS\nunshare {'EPERM'}\n");
}

TEST_F(IsolationTest, HasSocketsOfTheUsualFamiliesOnly) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  CodeDirectory code;
  code.file("bootstrap", std::string(kCalls) +
                             "print([f for f in range(64) if socket(f, 2 if f in (2, 10) else 3 if f == 16 else 1, 0) "
                             "== 'ok'], {socket(f, 3, 0) for f in (17, 38, 40, 15)},\n"
                             "  call(SOCKET, 40 | 1 << 32, 1, 0), {call(SOCKET, 16, 3, p) for p in (4, 9, 12, 15)},\n"
                             "  {call(SOCKET, 2, 5, 132), call(SOCKET, 2, 5, 132 | 1 << 32)},\n"
                             "  socket(2, 3, 1), call(SOCKETPAIR, 30, 1, 0, 0))\n");
  EXPECT_EQ(
      run_in({.id = next_id(), .tmp_bytes = 1 << 20, .task = code.descriptor()},
             {.candidates = {"/var/task/bootstrap"}, .variables = {"PATH=/usr/bin"}, .working_directory = "/"}),
      "[1, 2, 10, 16] {'EAFNOSUPPORT'} EAFNOSUPPORT {'EPROTONOSUPPORT'} {'EPROTONOSUPPORT'} EPERM EAFNOSUPPORT\n");
}

TEST_F(IsolationTest, CannotReachOutOfTheFileWall) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
  if (version < 6) GTEST_SKIP() << "this kernel's Landlock is of version " << version << ", 6 is needed to see it";
  EXPECT_EQ(sh("kill -0 1 2>/dev/null && echo reached the init; mkdir -p /tmp/a/b /tmp/c; echo x > /tmp/a/b/f; "
               "mv /tmp/a/b/f /tmp/c/g && ln /tmp/c/g /tmp/a/h && cat /tmp/a/h; sleep 1000 & kill -0 $! && kill $! && "
               "echo own"),
            "x\nown\n");
}

TEST_F(IsolationTest, LetsEveryLanguageStartWithItsThreads) {
  struct Language {
    const char* program;
    const char* line;
  };
  constexpr std::array languages = {
      Language{"/usr/bin/python3",
               "python3 -c 'import threading as t,subprocess as s; x=[t.Thread(target=len,args=(\"\",)) "
               "for _ in range(20)]; [i.start() for i in x]; [i.join() for i in x]; "
               "print(s.check_output([\"echo\",\"python\"]).decode(),end=\"\")'"},
      Language{"/usr/bin/node",
               "node -e 'new (require(\"worker_threads\").Worker)(\"console.log(\\\"node\\\")\","
               "{eval:true})'"},
      Language{"/usr/bin/perl", "perl -e 'print fork ? (wait && \"perl\\n\") : \"\"'"},
      Language{"/usr/bin/ruby", "ruby -e '10.times.map{Thread.new{}}.each(&:join); puts `echo ruby`'"},
      Language{"/usr/bin/php", "php -r 'echo shell_exec(\"echo php\");'"},
  };
  for (const Language& language : languages) {
    if (::access(language.program, X_OK) != 0) continue;
    const std::string name = std::filesystem::path(language.program).filename();
    EXPECT_EQ(sh(std::string(language.line) + " 2>&1"), (name == "python3" ? "python" : name) + "\n");
  }
  if (::access("/usr/bin/java", X_OK) == 0 && ::access("/usr/bin/javac", X_OK) == 0) {
    EXPECT_EQ(
        sh("cd /tmp; cat > Hello.java <<'END'\npublic class Hello { public static void main(String[] a) throws "
           "Exception { Thread[] t = new Thread[20]; for (int i = 0; i < 20; i++) { t[i] = new Thread(() -> {}); "
           "t[i].start(); } for (Thread x : t) x.join(); System.out.println(new String(new ProcessBuilder(\"echo\", "
           "\"java\").start().getInputStream().readAllBytes()).trim()); } }\nEND\n"
           "java -XX:-UsePerfData Hello.java 2>&1"),
        "java\n");
  }
}

TEST_F(IsolationTest, LetsAGoProgramStart) {
  if (::access("/usr/bin/go", X_OK) != 0) GTEST_SKIP() << "needs go";
  CodeDirectory code;
  code.file(
      "main.go",
      "package main\nimport (\"os/exec\"; \"fmt\"; \"sync\"; \"net\")\nfunc main() { var g sync.WaitGroup\n for i := "
      "0; "
      "i < 50; i++ { g.Add(1); go g.Done() }\n g.Wait()\n l, e := net.Listen(\"tcp\", \"127.0.0.1:0\")\n if e != nil "
      "{ fmt.Println(e) } else { l.Close() }\n o, e := exec.Command(\"echo\", \"go\").Output()\n fmt.Print(string(o)); "
      "if e != nil { fmt.Println(e) } }\n");
  const std::string build = "cd " + code.path() +
                            " && HOME=$PWD GOCACHE=$PWD/cache GOFLAGS=-mod=mod GO111MODULE=off go build -o bootstrap "
                            "main.go > log 2>&1";
  if (std::system(build.c_str()) != 0) GTEST_SKIP() << "go does not build here";  // NOLINT
  EXPECT_EQ(run_in({.id = next_id(), .tmp_bytes = 1 << 20, .task = code.descriptor()},
                   {.candidates = {"/var/task/bootstrap"}, .variables = {"PATH=/usr/bin"}, .working_directory = "/"}),
            "go\n");
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
            "except OSError: print('bounded' if n<742 else n,flush=True)\n");
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  EXPECT_EQ(
      run_in({.id = next_id(), .tmp_bytes = 1 << 20, .task = code.descriptor()}, {.candidates = {"/var/task/bootstrap"},
                                                                                  .arguments = {},
                                                                                  .variables = {"PATH=/usr/bin"},
                                                                                  .working_directory = "/"}),
      "bounded\n");
}

TEST_F(IsolationTest, CannotStopBeingTheFirstToGoWhenTheHostIsOutOfMemory) {
  if (::geteuid() != 0 || ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) != 1) {
    GTEST_SKIP() << "who has no CAP_SYS_RESOURCE cannot forbid it";
  }
  EXPECT_EQ(sh("cat /proc/self/oom_score_adj; (echo 0 > /proc/self/oom_score_adj) 2>/dev/null && echo lowered; "
               "(echo 999 > /proc/self/oom_score_adj) 2>/dev/null && echo lowered; true"),
            "1000\n");
}

}  // namespace
}  // namespace ogni::sandbox::testing
