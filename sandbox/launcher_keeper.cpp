#include "sandbox/launcher_keeper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <deque>
#include <string>

#include "base/system.h"
#include "sandbox/kernel.h"
#include "sandbox/lasting.h"
#include "sandbox/launcher_socket.h"
#include "sandbox/wire.h"

namespace ogni::sandbox {

namespace {

// After this many crashes in a minute the launcher is not restarted: the cause is permanent. The daemon then learns that
// there is no launcher.
constexpr std::size_t kDeathsMax = 5;
constexpr auto kDeathsWithin = std::chrono::minutes(1);
// Before another one is tried after a start that failed for what may pass; doubled each time.
constexpr int kPauseMs = 50;

std::string describe(int status) {
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

wire::CannotStart cannot_fork(const Error& error) {
  return {.message = error.message(), .is_lasting = is_lasting(error)};
}

}  // namespace

int keep_launcher(int (*launcher)(int count, char** arguments), int count, char** arguments) {
  std::deque<std::chrono::steady_clock::time_point> deaths;
  for (;;) {
    const pid_t keeper = ::getpid();
    auto child = fork_into(0, -1);
    if (child && child->pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
      if (::getppid() != keeper) ::_exit(1);
      ::_exit(launcher(count, arguments));
    }
    int status = 0;
    bool cannot_start = !child;
    if (child) {
      while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
      }
      cannot_start = WIFEXITED(status) && WEXITSTATUS(status) == kTryAgain;
      if (WIFEXITED(status) && WEXITSTATUS(status) != kStartAgain && !cannot_start) return WEXITSTATUS(status);
    } else if (!send_message(kLauncherSocket, wire::encode(cannot_fork(child.error())))) {
      return 1;
    }
    const auto now = std::chrono::steady_clock::now();
    deaths.push_back(now);
    while (now - deaths.front() > kDeathsWithin) deaths.pop_front();
    if (deaths.size() > kDeathsMax) return 1;
    if (cannot_start) {
      ::poll(nullptr, 0, kPauseMs << (deaths.size() - 1));
      continue;
    }
    if (!send_message(kLauncherSocket, wire::encode(wire::Lost{.why = describe(status)}))) return 1;
  }
}

}  // namespace ogni::sandbox
