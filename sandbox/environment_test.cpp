// What a program of an environment goes through, in every strength: start, end, and everything that can be wrong.
#include "sandbox/environment.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>

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

// The failure of starting `program`, or a test failure.
StartFailed start_failure(Environment& environment, const Program& program) {
  auto ran = run(environment, program);
  EXPECT_TRUE(ran) << ran.error().message();
  if (!ran) return {};
  const auto* failed = std::get_if<StartFailed>(&ran->event);
  EXPECT_NE(failed, nullptr) << "it started: " << ran->log;
  return failed != nullptr ? *failed : StartFailed{};
}

TEST_P(EnvironmentTest, SaysWhichSignalEndedTheProgram) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/bash\nkill -SEGV $$\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();

  auto ran = run(*made->environment, bootstrap(code));

  ASSERT_TRUE(ran) << ran.error().message();
  const auto* exited = std::get_if<Exited>(&ran->event);
  ASSERT_NE(exited, nullptr);
  ASSERT_TRUE(WIFSIGNALED(exited->wait_status));
  EXPECT_EQ(WTERMSIG(exited->wait_status), SIGSEGV);
}

TEST_P(EnvironmentTest, NamesTheStepAndErrnoOfAProgramThatCannotStart) {
  CodeDirectory code;
  code.file("secret", "#!/bin/bash\n", 0744)
      .file("plain", "#!/bin/bash\n", 0644)
      .file("interpreter", "#!/no/such/interpreter\n")
      .file("garbage", "this is no program")
      .file("directory/file", "")
      .file("bootstrap", "#!/bin/bash\necho fine\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  Environment& environment = *made->environment;
  using Step = StartFailed::Step;
  struct Case {
    const char* name;
    Step step;
    int error;
  };
  for (const Case& expected : {Case{"missing", Step::kNoProgram, ENOENT}, Case{"directory", Step::kNoProgram, ENOENT},
                               Case{"plain", Step::kExecute, EACCES}, Case{"secret", Step::kExecute, EACCES},
                               Case{"interpreter", Step::kExecute, ENOENT}, Case{"garbage", Step::kExecute, ENOEXEC}}) {
    Program program = bootstrap(code);
    program.candidates = {task(code, expected.name)};
    const StartFailed failed = start_failure(environment, program);
    EXPECT_EQ(failed.step, expected.step) << expected.name;
    EXPECT_EQ(failed.error, expected.error) << expected.name;
    EXPECT_EQ(failed.path, expected.step == Step::kNoProgram ? "" : task(code, expected.name));
  }
  Program elsewhere = bootstrap(code);
  elsewhere.working_directory = task(code, "nowhere");
  EXPECT_EQ(start_failure(environment, elsewhere).step, Step::kWorkingDirectory);

  auto ran = run(environment, bootstrap(code));

  ASSERT_TRUE(ran) << ran.error().message();
  EXPECT_EQ(ran->log, "fine\n");
}

TEST_P(EnvironmentTest, TakesTheFirstCandidateThatIsAFile) {
  CodeDirectory code;
  code.file("bootstrap/file", "").file("second", "#!/bin/bash\necho \"second $0 $*\"\n").file("third", "");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  Program program = bootstrap(code);
  program.candidates = {task(code, "bootstrap"), task(code, "second"), task(code, "third")};
  program.arguments = {"a b", "", "$c"};

  auto ran = run(*made->environment, program);

  ASSERT_TRUE(ran) << ran.error().message();
  EXPECT_EQ(ran->log, "second " + task(code, "second") + " a b  $c\n");
}

TEST_P(EnvironmentTest, GivesTheProgramExactlyItsVariables) {
  CodeDirectory code;
  code.file("bootstrap", "#!/usr/bin/env -S /usr/bin/cat /proc/self/environ\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();

  auto ran = run(*made->environment, bootstrap(code, {"ONE=1", "EMPTY=", "QUOTE=a'b\"c\nd"}));

  ASSERT_TRUE(ran) << ran.error().message();
  // cat then prints the script itself.
  EXPECT_TRUE(ran->log.starts_with(std::string("ONE=1\0EMPTY=\0QUOTE=a'b\"c\nd\0PATH=/usr/bin:/bin\0#!", 48)))
      << ran->log;
}

TEST_P(EnvironmentTest, SetsLimitsMaskAndDescriptorsAsOnAws) {
  CodeDirectory code;
  code.file("bootstrap",
            "#!/bin/bash\nulimit -Sn; ulimit -Hn; ulimit -Sc; umask; pwd; ls /proc/self/fd | tr '\\n' ' '; echo; "
            "readlink /proc/self/fd/0; grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();

  auto ran = run(*made->environment, bootstrap(code));

  ASSERT_TRUE(ran) << ran.error().message();
  EXPECT_EQ(ran->log,
            "1024\n1024\n" + (is_namespace() ? core_blocks(1024) : "0") + "\n0022\n" +
                bootstrap(code).working_directory +
                "\n0 1 2 3 \n/dev/null\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nNoNewPrivs:\t1\n");
}

TEST_P(EnvironmentTest, IsItsShellBash) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/sh -e\nset -uo pipefail\nsource ./more.sh one two\necho $0 ${BASH_VERSION:+bash} $-\n")
      .file("more.sh", "echo sourced $1 $2\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();

  auto ran = run(*made->environment, bootstrap(code));

  ASSERT_TRUE(ran) << ran.error().message();
  EXPECT_EQ(ran->log, "sourced one two\n" + task(code, "bootstrap") + " bash ehuB\n");
}

TEST_P(EnvironmentTest, ReachesTheDaemonThroughTheListeningSocket) {
  CodeDirectory code;
  code.file("bootstrap",
            "#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/$PORT\necho hello >&3\nread -u 3 answer\necho $answer\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_TRUE(is_namespace() ? made->port == 9001 : made->port > 1024);
  ASSERT_TRUE(made->environment->start(bootstrap(code, {"PORT=" + std::to_string(made->port)})));
  ASSERT_TRUE(wait_readable(made->socket.get(), kPatience));

  const Fd connection(::accept4(made->socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(connection);
  ASSERT_TRUE(wait_readable(connection.get(), kPatience));
  std::array<char, 16> greeting;
  ASSERT_EQ(::read(connection.get(), greeting.data(), greeting.size()), 6);
  ASSERT_TRUE(write_all(connection.get(), "answer\n"));

  auto event = wait_event(*made->environment);
  ASSERT_TRUE(event) << event.error().message();
  EXPECT_TRUE(std::holds_alternative<Exited>(*event));
  EXPECT_EQ(drain_log(*made->environment), "answer\n");
}

TEST_P(EnvironmentTest, RunsAProgramAfterAnotherWithTheSameTmpAndSocket) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/bash\ncat $TMP/note 2>/dev/null || echo nothing\necho noted > $TMP/note\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  const std::string tmp = "TMP=" + (is_namespace() ? "/tmp" : tmp_.path().string());

  for (const char* expected : {"nothing\n", "noted\n", "noted\n"}) {
    auto ran = run(*made->environment, bootstrap(code, {tmp}));
    ASSERT_TRUE(ran) << ran.error().message();
    EXPECT_TRUE(std::holds_alternative<Exited>(ran->event));
    EXPECT_EQ(ran->log, expected);
  }
}

// Every pid that the log names must be gone: no such process, or another of the same number.
void expect_gone(const std::string& marker) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto variables = read_file(entry.path() / "environ", 1 << 20);
    if (variables) EXPECT_EQ(variables->find(marker), std::string::npos) << entry.path();
  }
}

TEST_P(EnvironmentTest, KillLeavesNoneOfTheProgramsProcesses) {
  CodeDirectory code;
  code.file(
      "bootstrap",
      "#!/bin/bash\nfor i in 1 2 3; do (setsid bash -c '(sleep 1000 & sleep 1000) & disown; exec sleep 1000' "
      "</dev/null >/dev/null 2>&1 &) ; done\nsleep 0.05; trap '' TERM; echo ready; while :; do sleep 1000; done\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  const std::string marker = "MARKER=" + std::to_string(::getpid()) + "-kill";
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(made->environment->start(bootstrap(code, {marker})));
    ASSERT_TRUE(wait_readable(made->environment->log_descriptor(), kPatience));

    ASSERT_TRUE(made->environment->kill());

    auto event = wait_event(*made->environment);
    ASSERT_TRUE(event) << event.error().message();
    const auto* exited = std::get_if<Exited>(&*event);
    ASSERT_NE(exited, nullptr);
    EXPECT_TRUE(WIFSIGNALED(exited->wait_status) && WTERMSIG(exited->wait_status) == SIGKILL);
    expect_gone(marker);
    (void)drain_log(*made->environment);
  }
}

TEST_P(EnvironmentTest, EndsWhatAProgramLeavesBehindWhenItExits) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/bash\nsetsid sleep 1000 </dev/null >/dev/null 2>&1 &\nexit 3\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  const std::string marker = "MARKER=" + std::to_string(::getpid()) + "-left";

  auto ran = run(*made->environment, bootstrap(code, {marker}));

  ASSERT_TRUE(ran) << ran.error().message();
  EXPECT_TRUE(std::holds_alternative<Exited>(ran->event));
  expect_gone(marker);
}

TEST_P(EnvironmentTest, PassesASignalToTheProgramAlone) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/bash\ntrap 'echo told; exit 5' TERM\necho ready\nwhile :; do sleep 0.01; done\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  ASSERT_TRUE(made->environment->start(bootstrap(code)));
  ASSERT_TRUE(wait_readable(made->environment->log_descriptor(), kPatience));

  ASSERT_TRUE(made->environment->signal(SIGTERM));

  auto event = wait_event(*made->environment);
  ASSERT_TRUE(event) << event.error().message();
  const auto* exited = std::get_if<Exited>(&*event);
  ASSERT_NE(exited, nullptr);
  EXPECT_EQ(WEXITSTATUS(exited->wait_status), 5);
  EXPECT_EQ(drain_log(*made->environment), "ready\ntold\n");
}

TEST_P(EnvironmentTest, RefusesASecondProgramBesideTheFirst) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/bash\nsleep 1000\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  ASSERT_TRUE(made->environment->start(bootstrap(code)));

  const StartFailed failed = start_failure(*made->environment, bootstrap(code));

  EXPECT_EQ(failed.error, EBUSY);
}

TEST_P(EnvironmentTest, EndsWithItsObject) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/bash\necho ready\n(setsid sleep 1000 &)\nsleep 1000\n");
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  const std::string marker = "MARKER=" + std::to_string(::getpid()) + "-end";
  ASSERT_TRUE(made->environment->start(bootstrap(code, {marker})));
  ASSERT_TRUE(wait_readable(made->environment->log_descriptor(), kPatience));
  const Fd process(::dup(made->environment->process_descriptor()));

  made->environment.reset();

  ASSERT_TRUE(wait_readable(process.get(), kPatience));
  expect_gone(marker);
}

TEST_P(EnvironmentTest, MeasuresWhatTheProgramTouched) {
  CodeDirectory code;
  code.file("bootstrap",
            "#!/usr/bin/python3\nimport sys,time\nb=bytearray(50<<20)\nfor i in range(0,len(b),4096): b[i]=1\n"
            "print('touched',flush=True)\ntime.sleep(1000)\n");
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "needs python3";
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  ASSERT_TRUE(made->environment->start(bootstrap(code)));
  ASSERT_TRUE(wait_readable(made->environment->log_descriptor(), kPatience));

  ASSERT_TRUE(made->environment->measure());

  auto event = wait_event(*made->environment);
  ASSERT_TRUE(event) << event.error().message();
  const auto* measured = std::get_if<Measured>(&*event);
  ASSERT_NE(measured, nullptr);
  EXPECT_GT(measured->pss_bytes, 50U << 20);
  EXPECT_LT(measured->pss_bytes, 70U << 20);
  if (made->environment->has_memory_cgroup()) {
    const auto used = made->environment->memory_bytes();
    ASSERT_TRUE(used) << used.error().message();
    EXPECT_GT(*used, 50U << 20);
    EXPECT_LT(*used, 70U << 20);
  }
  ASSERT_TRUE(made->environment->kill());
  event = wait_event(*made->environment);
  ASSERT_TRUE(event) << event.error().message();
  ASSERT_TRUE(std::holds_alternative<Exited>(*event));
  EXPECT_GT(std::get<Exited>(*event).max_rss_bytes, 50U << 20);
}

}  // namespace
}  // namespace ogni::sandbox::testing
