#include "sandbox/program.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/system.h"
#include "sandbox/file_wall.h"
#include "sandbox/privileges.h"

namespace ogni::sandbox {

namespace {

// AWS's limits (recorded in its environments). Limits that this host has set lower stay.
struct Limit {
  int resource;
  rlim_t soft;
  rlim_t hard;
};
constexpr std::array kLimits = {
    Limit{RLIMIT_NOFILE, 1024, 1024},
    Limit{RLIMIT_STACK, 8'388'608, RLIM_INFINITY},
    Limit{RLIMIT_MEMLOCK, 65'536, 65'536},
    Limit{RLIMIT_NICE, 0, 0},
    Limit{RLIMIT_RTPRIO, 0, 0},
};
constexpr rlim_t kCoreBytes = 10'737'418'240;
// Without a root of its own a program that dies would write its core among the code.
constexpr Limit kNoCore = {RLIMIT_CORE, 0, kCoreBytes};

// Everything the child needs, ready before it exists: it runs on its parent's memory.
struct Prepared {
  std::string path;  // of the candidate
  std::string file;
  std::vector<std::string> words;
  std::vector<std::string> texts;
  std::vector<char*> arguments;
  std::vector<char*> variables;
  const char* working_directory = "/";
  sigset_t no_signals{};
  Strength strength = Strength::kNamespace;
  int log = -1;
  pid_t parent = -1;
  Limit core = kNoCore;
  const Walls* walls = nullptr;
};

struct Problem {
  StartFailed::Step step = StartFailed::Step::kOther;
  int error = 0;
};

StartFailed failed(StartFailed::Step step, std::string path, int error) {
  return StartFailed{.step = step, .path = std::move(path), .error = error};
}

void set_limit(const Limit& limit) {
  rlimit now{};
  if (::getrlimit(static_cast<__rlimit_resource>(limit.resource), &now) != 0) return;
  rlimit wanted{};
  wanted.rlim_max = std::min(limit.hard, now.rlim_max);
  wanted.rlim_cur = std::min(limit.soft, wanted.rlim_max);
  ::setrlimit(static_cast<__rlimit_resource>(limit.resource), &wanted);
}

// A core lands in the environment's own /tmp, if anywhere; but a host that pipes cores to a program of its own runs that as
// root, outside of every limit, as often as a function likes to die. With a limit of 1 the kernel starts none (core(5)).
Limit core_limit() {
  const auto pattern = read_file("/proc/sys/kernel/core_pattern", 4096);
  const bool stays_inside = pattern && !pattern->starts_with('|') && !pattern->starts_with('@');
  const rlim_t bytes = stays_inside ? kCoreBytes : 1;
  return {RLIMIT_CORE, bytes, bytes};
}

// The kernel should take the function before anything of the host. Only a process that may be traced may write here.
void be_first_to_go() {
  const int dumpable = ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file >= 0) {
    const ssize_t written = ::write(file, "1000", 4);
    (void)written;  // a host that refuses only loses this preference
    ::close(file);
  }
  ::prctl(PR_SET_DUMPABLE, dumpable == 1 ? 1 : 0, 0, 0, 0);
}

// What does not depend on the program. In the child, on the parent's memory: only system calls.
Problem prepare_process(int log, Strength strength, pid_t parent, const Walls& walls) {
  using Step = StartFailed::Step;
  if (strength == Strength::kProcess) {
    // In a namespace the kernel sees to it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != parent) return {Step::kOther, ESRCH};
  }
  ::setsid();
  if (::dup2(log, STDOUT_FILENO) < 0 || ::dup2(log, STDERR_FILENO) < 0) return {Step::kOther, errno};
  if (::syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */) != 0) {
    return {Step::kOther, errno};
  }
  for (const Limit& limit : kLimits) set_limit(limit);
  // Counted over all processes of a user of a user namespace, so without one it would count those of the host's.
  const auto processes = static_cast<rlim_t>(walls.processes);
  if (strength == Strength::kNamespace) set_limit({RLIMIT_NPROC, processes, processes});
  // A function that is woken does not push its waker off the processor in the middle of waking others: at 64 callers on
  // one processor this halves the context switches. Share and priority are those of any process.
  const sched_param no_priority{};
  ::sched_setscheduler(0, SCHED_BATCH, &no_priority);
  if (walls.freezer >= 0 && ::write(walls.freezer, "0", 1) != 1) return {Step::kOther, errno};
  if (walls.niceness != 0) ::setpriority(PRIO_PROCESS, 0, walls.niceness);
  return {};
}

int enter_walls(const SystemCallFilter& filter) { return filter.empty() ? 0 : enter_system_call_filter(filter); }

// As above. Returns only when it failed.
Problem execute(const Prepared& prepared) {
  using Step = StartFailed::Step;
  if (::chdir(prepared.working_directory) != 0) return {Step::kWorkingDirectory, errno};
  set_limit(prepared.core);
  ::sigprocmask(SIG_SETMASK, &prepared.no_signals, nullptr);
  ::execve(prepared.file.c_str(), prepared.arguments.data(), prepared.variables.data());
  return {Step::kExecute, errno};
}

// The whole way, as above.
Problem become_program(const Prepared& prepared) {
  using Step = StartFailed::Step;
  const Walls& walls = *prepared.walls;
  if (const auto problem = prepare_process(prepared.log, prepared.strength, prepared.parent, walls);
      problem.error != 0) {
    return problem;
  }
  be_first_to_go();
  if (prepared.strength == Strength::kNamespace) {
    if (const int error = give_up_capabilities(); error != 0) return {Step::kOther, error};
  }
  if (walls.files >= 0) {
    if (const int error = enter_file_wall(walls.files); error != 0) return {Step::kOther, error};
  }
  if (const int error = enter_walls(walls.system_calls); error != 0) return {Step::kOther, error};
  return execute(prepared);
}

// The argument of a first line "#!/bin/sh argument" (empty without one); nothing for any other first line.
std::optional<std::string> shell_argument(const std::string& path) {
  const auto file = open_file(path, O_RDONLY);
  if (!file) return std::nullopt;
  std::array<char, 256> start;  // as much as the kernel looks at
  const ssize_t size = ::read(file->get(), start.data(), start.size());
  if (size < 0) return std::nullopt;
  std::string_view line(start.data(), static_cast<std::size_t>(size));
  line = line.substr(0, line.find('\n'));
  const auto trim = [](std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return std::string_view();
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
  };
  if (!line.starts_with("#!")) return std::nullopt;
  line = trim(line.substr(2));
  const std::string_view interpreter = line.substr(0, line.find_first_of(" \t"));
  if (interpreter != "/bin/sh" && interpreter != "/usr/bin/sh") return std::nullopt;
  return std::string(trim(line.substr(interpreter.size())));
}

// On Amazon Linux sh is bash. Without a mount namespace the host's sh cannot be covered by it, so bash is called sh.
bool run_by_bash(const std::string& path, Prepared& prepared) {
  constexpr const char* kBash = "/usr/bin/bash";
  if (::access(kBash, X_OK) != 0) return false;
  const auto argument = shell_argument(path);
  if (!argument) return false;
  prepared.file = kBash;
  prepared.words = {"sh"};
  if (!argument->empty()) prepared.words.push_back(*argument);
  prepared.words.push_back(path);
  return true;
}

std::optional<std::string> first_regular_file(const std::vector<std::string>& candidates, mode_t& mode) {
  for (const std::string& candidate : candidates) {
    struct stat status{};
    if (::stat(candidate.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    mode = status.st_mode;
    return candidate;
  }
  return std::nullopt;
}

std::variant<Prepared, StartFailed> prepare(const Program& program, Strength strength) {
  using Step = StartFailed::Step;
  mode_t mode = 0;
  const auto path = first_regular_file(program.candidates, mode);
  if (!path) return failed(Step::kNoProgram, "", ENOENT);
  // On AWS the program is never its owner's process; here, without root, it is.
  if ((mode & S_IXOTH) == 0) return failed(Step::kExecute, *path, EACCES);

  Prepared prepared;
  prepared.path = *path;
  prepared.strength = strength;
  prepared.parent = ::getpid();
  if (strength == Strength::kNamespace) prepared.core = core_limit();
  ::sigemptyset(&prepared.no_signals);
  if (strength == Strength::kNamespace || !run_by_bash(*path, prepared)) {
    prepared.file = *path;
    prepared.words = {*path};
  }
  prepared.words.insert(prepared.words.end(), program.arguments.begin(), program.arguments.end());
  prepared.texts = program.variables;
  for (std::string& word : prepared.words) prepared.arguments.push_back(word.data());
  for (std::string& text : prepared.texts) prepared.variables.push_back(text.data());
  prepared.arguments.push_back(nullptr);
  prepared.variables.push_back(nullptr);
  if (!program.working_directory.empty()) prepared.working_directory = program.working_directory.c_str();
  return prepared;
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// A byte, and a descriptor if one came along. False when nobody is there to send any more.
bool receive_word(int socket, int& descriptor) {
  char byte = 0;
  iovec data{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control;
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return false;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) std::memcpy(&descriptor, CMSG_DATA(header), sizeof(int));
  return true;
}

}  // namespace

// What a forerunner and its maker both have before them. Only one of them runs at a time: the other waits at the socket.
struct Forerunner::Shared {
  static constexpr std::size_t kStackBytes = 64 << 10;

  explicit Shared(int its_log, const Walls& its_walls) : log(its_log), walls(its_walls) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() {
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      reap(pid);
    }
    if (stack != MAP_FAILED) ::munmap(stack, kStackBytes);
  }

  // The child's whole life on the parent's memory: only system calls.
  static int run(void* own) {
    Shared& shared = *static_cast<Shared*>(own);
    const Problem problem = shared.wait_and_become();
    shared.problem_step = problem.step;
    shared.problem_error = problem.error;
    ::_exit(127);
  }

  Problem wait_and_become() {
    using Step = StartFailed::Step;
    if (const auto problem = prepare_process(log, Strength::kNamespace, -1, walls); problem.error != 0) return problem;
    constexpr int kSocket = STDERR_FILENO + 1;
    if (theirs != kSocket && ::dup3(theirs, kSocket, O_CLOEXEC) < 0) return {Step::kOther, errno};
    if (::syscall(SYS_close_range, kSocket + 1, ~0U, 0U) != 0) return {Step::kOther, errno};
    if (const int error = give_up_capabilities(); error != 0) return {Step::kOther, error};
    if (const int error = enter_walls(walls.system_calls); error != 0) return {Step::kOther, error};
    if (::send(kSocket, "r", 1, MSG_NOSIGNAL) != 1) return {Step::kOther, errno};
    int files = -1;
    if (!receive_word(kSocket, files)) return {Step::kOther, ECANCELED};
    if (files >= 0) {
      if (const int error = enter_file_wall(files); error != 0) return {Step::kOther, error};
    }
    return execute(*prepared);
  }

  const int log;
  const Walls walls;
  Fd ours;
  int theirs = -1;  // a number in the child's table, where the parent closes nothing
  void* stack = MAP_FAILED;
  pid_t pid = -1;
  const Prepared* prepared = nullptr;
  std::atomic<int> problem_error = 0;
  std::atomic<StartFailed::Step> problem_step = StartFailed::Step::kOther;
};

Forerunner::Forerunner(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {}
Forerunner::Forerunner(Forerunner&&) noexcept = default;
Forerunner& Forerunner::operator=(Forerunner&&) noexcept = default;
Forerunner::~Forerunner() = default;

pid_t Forerunner::pid() const { return shared_->pid; }

std::optional<Forerunner> Forerunner::make(int log, const Walls& walls) {
  auto sockets = socket_pair();
  if (!sockets) return std::nullopt;
  // Inherited. For one of two who share their memory the kernel would look for the other among all processes of the host.
  be_first_to_go();
  auto shared = std::make_unique<Shared>(log, walls);
  shared->ours = std::move(sockets->first);
  shared->theirs = sockets->second.get();
  shared->stack = ::mmap(nullptr, Shared::kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (shared->stack == MAP_FAILED) return std::nullopt;
  char* top = static_cast<char*>(shared->stack) + Shared::kStackBytes;
  // vfork(2) that does not wait: no page table is copied.
  shared->pid = ::clone(Shared::run, top, CLONE_VM | SIGCHLD, shared.get());
  if (shared->pid < 0) return std::nullopt;
  sockets->second.reset();
  int none = -1;
  if (!receive_word(shared->ours.get(), none)) return std::nullopt;
  return Forerunner(std::move(shared));
}

std::variant<pid_t, StartFailed> start_program(Forerunner forerunner, const Program& program, int files) {
  auto prepared = prepare(program, Strength::kNamespace);
  if (auto* why = std::get_if<StartFailed>(&prepared)) return std::move(*why);
  Forerunner::Shared& shared = *forerunner.shared_;
  const Prepared& ready = std::get<Prepared>(prepared);
  shared.prepared = &ready;
  const std::array descriptors = {files};
  if (!send_message(shared.ours.get(), "p", std::span(descriptors.data(), files >= 0 ? 1U : 0U))) {
    return failed(StartFailed::Step::kOther, ready.path, ESRCH);
  }
  // Nothing is ever said: its end closes when it has been executed, or is no more, and has left this memory in both cases.
  int none = -1;
  receive_word(shared.ours.get(), none);
  const int error = shared.problem_error;
  if (error == 0) return std::exchange(shared.pid, -1);
  return failed(shared.problem_step, ready.path, error);
}

std::variant<pid_t, StartFailed> start_program(const Program& program, Strength strength, int log, const Walls& walls) {
  using Step = StartFailed::Step;
  auto maybe = prepare(program, strength);
  if (auto* why = std::get_if<StartFailed>(&maybe)) return std::move(*why);
  auto& prepared = std::get<Prepared>(maybe);
  prepared.log = log;
  prepared.walls = &walls;

  // vfork(2): no page table is copied, and what went wrong is simply there afterwards.
  // Volatile, because the compiler does not know that the child writes here before the parent goes on.
  volatile int problem_error = 0;
  volatile Step problem_step = Step::kOther;
  // NOLINTBEGIN(bugprone-unsafe-functions,clang-analyzer-*)
  const pid_t pid = ::vfork();
  if (pid == 0) {
    const Problem problem = become_program(prepared);
    problem_step = problem.step;
    problem_error = problem.error;
    ::_exit(127);
  }
  // NOLINTEND(bugprone-unsafe-functions,clang-analyzer-*)
  if (pid < 0) return failed(Step::kOther, prepared.path, errno);
  if (problem_error == 0) return pid;
  reap(pid);
  return failed(problem_step, prepared.path, problem_error);
}

}  // namespace ogni::sandbox
