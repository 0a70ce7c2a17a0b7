#include "service/invocation/failure.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

namespace ogni::service {
namespace {

constexpr int exit_status(int code) { return code << 8; }

TEST(FailureOfExit, SpellsExitStatusesAsAwsDoes) {
  EXPECT_EQ(
      failure_body(failure_of_exit(exit_status(1), false), "rid"),
      R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: rid Error: Runtime exited with error: exit status 1"})");
  EXPECT_EQ(failure_of_exit(exit_status(0), false).message, "Runtime exited without providing a reason");
  EXPECT_EQ(failure_of_exit(SIGKILL, false).message, "Runtime exited with error: signal: killed");
  EXPECT_EQ(failure_of_exit(SIGSEGV | 0x80, false).message,
            "Runtime exited with error: signal: segmentation fault (core dumped)");
}

TEST(FailureOfExit, TellsMemoryFromOtherKills) {
  EXPECT_EQ(failure_of_exit(SIGKILL, true).error_type, "Runtime.OutOfMemory");
  EXPECT_EQ(failure_of_exit(SIGKILL, true).message, "Runtime exited with error: signal: killed");
}

TEST(FailureOfStart, NamesWhatWasLookedFor) {
  using Step = sandbox::StartFailed::Step;
  const std::string_view candidates = "/var/task/bootstrap /opt/bootstrap";
  EXPECT_EQ(
      failure_body(failure_of_start({.step = Step::kNoProgram}, candidates), "rid"),
      R"({"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: rid Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"})");
  EXPECT_EQ(
      failure_of_start({.step = Step::kExecute, .path = "/var/task/bootstrap", .error = EACCES}, candidates).message,
      "fork/exec /var/task/bootstrap: permission denied");
  EXPECT_EQ(
      failure_of_start({.step = Step::kExecute, .path = "/var/task/bootstrap", .error = ENOEXEC}, candidates).message,
      "fork/exec /var/task/bootstrap: exec format error");
  EXPECT_EQ(
      failure_of_start({.step = Step::kExecute, .path = "/var/task/bootstrap", .error = ENOENT}, candidates).message,
      "fork/exec /var/task/bootstrap: no such file or directory");
}

TEST(FailureOfTimeout, PrintsTheConfiguredTimeWithTwoDecimals) {
  EXPECT_EQ(failure_of_timeout(std::chrono::seconds(3)).message, "Task timed out after 3.00 seconds");
}

TEST(FailureBody, EscapesWhatJsonRequires) {
  EXPECT_EQ(failure_body({.error_type = "a\"b", .message = "c\n"}, "r"),
            R"({"errorType":"a\"b","errorMessage":"RequestId: r Error: c\n"})");
}

}  // namespace
}  // namespace ogni::service
