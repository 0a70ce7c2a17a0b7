#include "sandbox/launcher_keeper.h"

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
#include "sandbox/launcher_socket.h"
#include "sandbox/wire.h"

namespace ogni::sandbox {

namespace {

// Whoever dies more often than this would go on dying; the daemon then learns that there is no launcher.
constexpr std::size_t kDeathsMax = 5;
constexpr auto kDeathsWithin = std::chrono::minutes(1);

std::string describe(int status) {
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

int keep_launcher(int (*launcher)(int count, char** arguments), int count, char** arguments) {
  std::deque<std::chrono::steady_clock::time_point> deaths;
  for (;;) {
    const pid_t keeper = ::getpid();
    auto child = fork_into(0, -1);
    if (!child) return 1;
    if (child->pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
      if (::getppid() != keeper) ::_exit(1);
      ::_exit(launcher(count, arguments));
    }
    int status = 0;
    while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) != kStartAgain) return WEXITSTATUS(status);
    const auto now = std::chrono::steady_clock::now();
    deaths.push_back(now);
    while (now - deaths.front() > kDeathsWithin) deaths.pop_front();
    if (deaths.size() > kDeathsMax) return 1;
    if (!send_message(kLauncherSocket, wire::encode(wire::Lost{.why = describe(status)}))) return 1;
  }
}

}  // namespace ogni::sandbox
