#include "bootstrap/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace ogni::bootstrap {
namespace {

// Where the worker finds its ends; what this program holds lies above them.
constexpr int kRequestsDescriptor = 3;
constexpr int kRepliesDescriptor = 4;
constexpr int kScriptDescriptor = 5;
constexpr int kOwnDescriptorMin = 10;
// Payloads up to this pass in one piece. The kernel may refuse; then they pass in several.
constexpr int kPipeBytes = 1024 * 1024;
// How often the worker's end is looked for where the kernel has no pidfd (before 5.3).
constexpr int kPollMs = 100;

// A pipe whose ends are above the descriptors that the worker gets.
struct Pipe {
  int ends[2] = {-1, -1};

  bool open() {
    int low[2];
    if (::pipe2(low, O_CLOEXEC) != 0) return false;
    for (int i = 0; i < 2; ++i) {
      ends[i] = ::fcntl(low[i], F_DUPFD_CLOEXEC, kOwnDescriptorMin);
      ::close(low[i]);
    }
    return ends[0] >= 0 && ends[1] >= 0;
  }
  int take(int end) { return std::exchange(ends[end], -1); }
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// In the child: system calls on prepared memory only.
[[noreturn]] void become_worker(char* const* arguments, char* const* environment, int requests, int replies,
                                int script) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_DFL);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  const bool placed = ::dup2(requests, kRequestsDescriptor) >= 0 && ::dup2(replies, kRepliesDescriptor) >= 0 &&
                      (script < 0 || ::dup2(script, kScriptDescriptor) >= 0);
  if (placed) ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

bool fill(const Pipe& pipe, std::string_view script) {
  return ::write(pipe.ends[1], script.data(), script.size()) == static_cast<ssize_t>(script.size());
}

void set_non_blocking(int descriptor) { ::fcntl(descriptor, F_SETFL, O_NONBLOCK); }

void complain(const char* doing, const std::string& program) {
  std::fprintf(stderr, "ogni: %s %s: %s\n", doing, program.c_str(), std::strerror(errno));
}

}  // namespace

std::unique_ptr<Worker> Worker::start(const WorkerCommand& command, const std::vector<std::string>& environment) {
  const std::string& program = command.arguments.front();
  if (::access(program.c_str(), X_OK) != 0) {
    complain("start", program);
    return nullptr;
  }
  Pipe requests;
  Pipe replies;
  Pipe script;
  if (!requests.open() || !replies.open() || (!command.script.empty() && !script.open())) {
    complain("make pipes for", program);
    return nullptr;
  }
  if (!command.script.empty() && !fill(script, command.script)) {
    complain("pass the script to", program);
    return nullptr;
  }
  ::fcntl(requests.ends[1], F_SETPIPE_SZ, kPipeBytes);
  ::fcntl(replies.ends[1], F_SETPIPE_SZ, kPipeBytes);
  set_non_blocking(requests.ends[1]);
  set_non_blocking(replies.ends[0]);

  const std::vector<char*> arguments = pointers(command.arguments);
  const std::vector<char*> variables = pointers(environment);
  const pid_t process = ::fork();
  if (process == 0) {
    become_worker(arguments.data(), variables.data(), requests.ends[0], replies.ends[1], script.ends[0]);
  }
  if (process < 0) {
    complain("fork for", program);
    return nullptr;
  }
  return std::unique_ptr<Worker>(new Worker(process, requests.take(1), replies.take(0)));
}

Worker::Worker(pid_t process, int requests, int replies) : process_(process), requests_(requests), replies_(replies) {
  ::setpgid(process, process);  // whoever of the two comes first
  process_descriptor_ = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
}

Worker::~Worker() {
  end(Patience::kNone);
  if (process_descriptor_ >= 0) ::close(process_descriptor_);
  ::close(requests_);
  ::close(replies_);
}

Worker::Outcome Worker::await_first() {
  delivered_ = false;
  reader_.reset();
  return transfer({}, {});
}

Worker::Outcome Worker::exchange(std::string_view frame, std::string_view body) {
  delivered_ = false;
  if (spoke_or_died()) {
    char byte = 0;
    return ::read(replies_, &byte, 1) > 0 ? malformed() : died();
  }
  reader_.reset();
  return transfer(frame, body);
}

// Between invocations a worker is silent. What it says then would be taken for the answer to the next.
bool Worker::spoke_or_died() const {
  pollfd watched[2] = {{replies_, POLLIN, 0}, {process_descriptor_, POLLIN, 0}};
  return ::poll(watched, process_descriptor_ >= 0 ? 2 : 1, 0) > 0;
}

Worker::Ready Worker::wait(bool writable) const {
  while (true) {
    pollfd watched[3] = {{replies_, POLLIN, 0}, {process_descriptor_, POLLIN, 0}, {requests_, POLLOUT, 0}};
    if (!writable) watched[2].fd = -1;  // ignored by poll, as is a missing pidfd
    const int count = ::poll(watched, 3, process_descriptor_ >= 0 ? -1 : kPollMs);
    if (watched[0].revents & POLLIN) return Ready::kReplies;
    if (watched[1].revents != 0) return Ready::kDeath;
    if (watched[2].revents & POLLOUT) return Ready::kRequests;
    // Ends closed by a worker that still runs: it can never answer.
    if (count > 0) return Ready::kDeath;
    siginfo_t info = {};
    if (count == 0 && ::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0) {
      return Ready::kDeath;
    }
  }
}

Worker::Outcome Worker::transfer(std::string_view frame, std::string_view body) {
  std::array<iovec, 2> parts = {iovec{const_cast<char*>(frame.data()), frame.size()},
                                iovec{const_cast<char*>(body.data()), body.size()}};
  std::size_t left = frame.size() + body.size();
  while (left > 0) {
    const ssize_t written = ::writev(requests_, parts.data(), 2);
    if (written > 0) {
      delivered_ = true;
      left -= static_cast<std::size_t>(written);
      auto count = static_cast<std::size_t>(written);
      for (iovec& part : parts) {
        const std::size_t taken = std::min(count, part.iov_len);
        part.iov_base = static_cast<char*>(part.iov_base) + taken;
        part.iov_len -= taken;
        count -= taken;
      }
    } else if (errno != EAGAIN && errno != EINTR) {
      return died();
    } else if (errno == EAGAIN) {
      const Ready ready = wait(true);
      if (ready == Ready::kDeath) return died();
      if (ready == Ready::kReplies) return malformed();  // an answer to half a question
    }
  }
  while (reader_.state() == FrameReader::State::kIncomplete) {
    const Ready ready = wait(false);
    const FrameReader::Space space = reader_.space();
    const ssize_t count = ::read(replies_, space.data, space.size);
    if (count > 0) {
      reader_.commit(static_cast<std::size_t>(count));
    } else if (count == 0 || ready == Ready::kDeath || (errno != EAGAIN && errno != EINTR)) {
      return died();
    }
  }
  return reader_.state() == FrameReader::State::kDone ? Outcome::kReply : malformed();
}

Worker::Outcome Worker::died() {
  end(Patience::kSome);
  return Outcome::kDied;
}

Worker::Outcome Worker::malformed() {
  end(Patience::kNone);
  return Outcome::kMalformed;
}

// Of a worker that has ended by itself this takes the status; the kill then only reaches what it left behind.
void Worker::end(Patience patience) {
  if (process_ <= 0) return;
  siginfo_t info = {};
  // One that has only closed its descriptors is on its way out by its own status.
  for (int tries = patience == Patience::kSome ? 10 : 0; tries > 0; --tries) {
    if (::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0) {
      break;
    }
    pollfd watched = {process_descriptor_, POLLIN, 0};
    ::poll(&watched, 1, 10);
  }
  ::kill(-process_, SIGKILL);
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, &wait_status_, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
}

std::string Worker::death() const {
  if (WIFSIGNALED(wait_status_)) {
    const char* description = ::strsignal(WTERMSIG(wait_status_));
    std::string text(description == nullptr ? "unknown" : description);
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return "signal: " + text + (WCOREDUMP(wait_status_) ? " (core dumped)" : "");
  }
  const int status = WEXITSTATUS(wait_status_);
  return status == 0 ? "" : "exit status " + std::to_string(status);
}

}  // namespace ogni::bootstrap
