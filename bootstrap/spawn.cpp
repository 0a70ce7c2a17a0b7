#include "bootstrap/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bootstrap/descriptor.h"

namespace ogni::bootstrap {
namespace {

// In the child, which shares this process's memory until it executes: system calls on prepared memory only.
[[noreturn]] void become(const Spawn& plan, char* const* arguments, char* const* environment, volatile int* error) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(SIGPIPE, &standard, nullptr);
  bool placed = plan.directory == nullptr || ::chdir(plan.directory) == 0;
  bool has_input = false;
  for (const Placement& placement : plan.descriptors) {
    placed = placed && ::dup2(placement.from, placement.to) >= 0;
    has_input = has_input || placement.to == STDIN_FILENO;
  }
  if (!has_input) {
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null > STDIN_FILENO) ::dup2(null, STDIN_FILENO);
  }
  if (placed) ::execve(arguments[0], arguments, environment);
  *error = errno;
  ::_exit(127);
}

// Not inlined: the frame of a function that calls vfork must not be used for anything else.
[[gnu::noinline]] pid_t start(const Spawn& plan, char* const* arguments, char* const* environment,
                              volatile int* error) {
  const pid_t process = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork,bugprone-unsafe-functions)
  if (process == 0) become(plan, arguments, environment, error);  // NOLINT(clang-analyzer-unix.Vfork)
  return process;
}

}  // namespace

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

pid_t spawn(const Spawn& plan) {
  const std::vector<char*> arguments = pointers(plan.arguments);
  const std::vector<char*> environment = pointers(plan.environment);
  volatile int error = 0;
  const pid_t process = start(plan, arguments.data(), environment.data(), &error);
  if (process < 0 || error == 0) return process;
  while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
  }
  errno = error;
  return -1;
}

int open_process(pid_t process) { return static_cast<int>(::syscall(SYS_pidfd_open, process, 0)); }

std::string process_field(pid_t process, int number) {
  const Descriptor file(::open(("/proc/" + std::to_string(process) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[1024];
  const ssize_t count = file ? ::read(file.get(), buffer, sizeof buffer) : 0;
  const std::string_view text(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
  std::size_t at = text.rfind(')');  // the name may hold anything
  for (int i = 2; i < number && at != std::string_view::npos; ++i) at = text.find(' ', at + 1);
  if (at == std::string_view::npos) return {};
  return std::string(text.substr(at + 1, text.find(' ', at + 1) - at - 1));
}

void stop_process(pid_t process, int process_descriptor, std::chrono::milliseconds max) {
  if (process <= 0 || ::kill(process, SIGTERM) != 0 || process_descriptor < 0) return;
  const auto until = std::chrono::steady_clock::now() + max;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd watched = {process_descriptor, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&watched, 1, static_cast<int>(left.count())) >= 0) return;
  }
}

std::string describe_end(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const char* description = ::strsignal(WTERMSIG(wait_status));
    std::string text(description == nullptr ? "unknown" : description);
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return "signal: " + text + (WCOREDUMP(wait_status) ? " (core dumped)" : "");
  }
  const int status = WEXITSTATUS(wait_status);
  return status == 0 ? "" : "exit status " + std::to_string(status);
}

}  // namespace ogni::bootstrap
