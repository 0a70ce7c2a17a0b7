#include "sandbox/init.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <sstream>
#include <utility>

#include "base/system.h"
#include "sandbox/cgroup_file.h"
#include "sandbox/environment_mounts.h"
#include "sandbox/file_wall.h"
#include "sandbox/lasting.h"
#include "sandbox/memory_look.h"
#include "sandbox/network.h"
#include "sandbox/privileges.h"
#include "sandbox/process_tree.h"
#include "sandbox/program.h"
#include "sandbox/user_namespace.h"
#include "sandbox/wire.h"

namespace ogni::sandbox {

namespace {

// Where the init's descriptors are, from its first step on.
constexpr int kControl = 3;
constexpr int kLifeline = 4;
constexpr int kLog = 5;
constexpr int kProgramTasks = 6;
constexpr std::array kTasks = {7, 8};
constexpr int kOutOfMemory = 9;
constexpr int kMemoryStatistics = 10;
constexpr int kLast = 10;
constexpr const char* kHostname = "sandbox";
// While processes are being killed that may fork meanwhile: how often to look again.
constexpr int kKillAgainMs = 5;
constexpr int kKillTriesMax = 2'000;
// While processes that are to be stopped wake each other: at first, and at last.
constexpr int kStopAgainMs = 10;
constexpr int kStopAgainMsMax = 1'000;
// A function that makes orphans as fast as they can be reaped must not keep the init from what else it has to do.
constexpr int kReapedAtOnceMax = 64;
constexpr std::size_t kBeginBytesMax = 64 << 10;  // the paths of a root's parts
// An init has a tenth of it. Above it memory of the dead is still to be given back.
constexpr std::uint64_t kOwnBytesMax = 8 << 20;

struct Begin {
  Root root;
  std::uint64_t shared_memory_bytes = 0;
};

struct TreesHeader {
  std::uint64_t tmp_bytes = 0;
  std::uint32_t address = 0;
  bool has_task = false;
  bool has_runtime = false;
  bool has_opt = false;
  bool has_tmp = false;
  bool has_name_servers = false;
};

// Moves the descriptors to their places and closes every other one: the launcher's and other environments' ends.
Result<void> arrange_descriptors(const InitDescriptors& given) {
  std::array<std::pair<int, int>, 8> moves = {{{given.control, kControl},
                                               {given.lifeline, kLifeline},
                                               {given.log, kLog},
                                               {given.program_tasks, kProgramTasks},
                                               {given.tasks[0], kTasks[0]},
                                               {given.tasks[1], kTasks[1]},
                                               {given.out_of_memory, kOutOfMemory},
                                               {given.memory_statistics, kMemoryStatistics}}};
  for (auto& [from, to] : moves) {
    if (from < 0) continue;
    from = ::fcntl(from, F_DUPFD, kLast + 1);
    if (from < 0) return failure(Error::from_errno("arrange descriptors"));
  }
  for (const auto& [from, to] : moves) {
    if (from < 0) {
      ::close(to);
    } else if (::dup3(from, to, O_CLOEXEC) < 0) {
      return failure(Error::from_errno("arrange descriptors"));
    }
  }
  if (::syscall(SYS_close_range, kLast + 1, ~0U, 0U) != 0) return failure(Error::from_errno("close_range"));
  return {};
}

// From here on nothing of the launcher's terminal or log can be reached.
Result<void> silence_standard_descriptors() {
  const auto null = open_file("/dev/null", O_RDWR);
  if (!null) return failure(null.error());
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(null->get(), standard) < 0) return failure(Error::from_errno("dup2"));
  }
  return {};
}

Result<Begin> receive_begin() {
  Begin begin;
  auto message = receive_message(kLifeline, kBeginBytesMax);
  if (!message) return failure(std::move(message).error().within("begin"));
  std::memcpy(&begin.shared_memory_bytes, message->bytes.data(),
              std::min(message->bytes.size(), sizeof begin.shared_memory_bytes));
  if (message->descriptors.empty()) return begin;
  begin.root.tree = std::move(message->descriptors.front());
  std::istringstream paths(message->bytes.substr(std::min(message->bytes.size(), sizeof begin.shared_memory_bytes)));
  for (std::size_t i = 1; i < message->descriptors.size(); ++i) {
    RootPart part;
    if (!std::getline(paths, part.path, '\0'))
      return failure(ErrorCode::kInternal, "a part of the root without a path");
    part.tree = std::move(message->descriptors[i]);
    begin.root.parts.push_back(std::move(part));
  }
  return begin;
}

// Of those that were not given the numbers are anybody's: what has come over the lifeline may be there.
Result<void> join_cgroup(const InitDescriptors& given) {
  for (std::size_t i = 0; i < kTasks.size(); ++i) {
    if (given.tasks[i] < 0) continue;
    // kUnavailable: whatever the errno, the launcher has just made this cgroup, so it is only being removed.
    if (::write(kTasks[i], "0", 1) != 1) {
      return failure(ErrorCode::kUnavailable, Error::from_errno("join cgroup").message());
    }
    ::close(kTasks[i]);
  }
  return {};
}

struct Furniture {
  Trees trees;
  std::uint64_t tmp_bytes = 0;
  std::uint32_t address = 0;
};

Result<Furniture> receive_trees() {
  auto message = receive_message(kLifeline, sizeof(TreesHeader));
  if (!message) return failure(std::move(message).error().within("trees"));
  TreesHeader header;
  std::memcpy(&header, message->bytes.data(), std::min(message->bytes.size(), sizeof header));
  Trees trees;
  std::size_t next = 0;
  const auto take = [&](bool there, Fd& tree) {
    if (there && next < message->descriptors.size()) tree = std::move(message->descriptors[next++]);
  };
  take(header.has_task, trees.task);
  take(header.has_runtime, trees.runtime);
  take(header.has_opt, trees.opt);
  take(header.has_tmp, trees.tmp);
  take(header.has_name_servers, trees.name_servers);
  return Furniture{.trees = std::move(trees), .tmp_bytes = header.tmp_bytes, .address = header.address};
}

// All that does not depend on the function.
Result<Listener> set_up_namespaces(const InitDescriptors& given) {
  auto begin = receive_begin();
  if (!begin) return failure(std::move(begin).error());
  if (auto ok = join_cgroup(given); !ok) return failure(std::move(ok).error());
  // Only now, so that the cgroup joined is the root of what can be seen.
  if (::unshare(CLONE_NEWCGROUP) != 0) return failure(Error::from_errno("unshare cgroup namespace"));
  if (auto ok = become_user(kEnvironmentUid, kEnvironmentGid); !ok) return failure(std::move(ok).error());
  leave_session_keyring();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // beside the lifeline; taking ids had cleared it
  if (::sethostname(kHostname, std::strlen(kHostname)) != 0) return failure(Error::from_errno("sethostname"));
  if (auto ok = raise_loopback(); !ok) return failure(std::move(ok).error());
  auto listener = listen_on_loopback(kServerPort);
  if (!listener) return listener;
  auto proc = make_proc();
  if (!proc) return failure(std::move(proc).error());

  if (auto ok = become_environment_root(begin->root, *proc, begin->shared_memory_bytes); !ok) {
    return failure(std::move(ok).error());
  }
  if (auto ok = silence_standard_descriptors(); !ok) return failure(std::move(ok).error());
  if (auto ok = bound_privileges(); !ok) return failure(std::move(ok).error());
  return listener;
}

Result<void> furnish(Kept kept) {
  auto received = receive_trees();
  if (!received) return failure(std::move(received).error());
  if (received->address != 0) {
    if (auto ok = raise_way_out(received->address); !ok) return failure(std::move(ok).error().within("network"));
  }
  if (auto ok = furnish_root(received->trees, received->tmp_bytes); !ok) return ok;
  return drop_privileges(kept);
}

Result<Listener> set_up_process(const InitDescriptors& given, const ProcessIds& ids) {
  if (auto begin = receive_begin(); !begin) return failure(std::move(begin).error());
  if (auto ok = join_cgroup(given); !ok) return failure(std::move(ok).error());
  if (ids.uid != 0) {
    if (auto ok = become_user(ids.uid, ids.gid); !ok) return failure(std::move(ok).error());
  }
  ::setsid();
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return failure(Error::from_errno("subreaper"));
  auto listener = listen_on_loopback(0);
  if (!listener) return listener;
  if (auto ok = silence_standard_descriptors(); !ok) return failure(std::move(ok).error());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure(Error::from_errno("no_new_privs"));
  return listener;
}

void report(const Event& event, std::span<const int> descriptors = {}) {
  // Blocks while the daemon does not read; fails when it is gone, which the loop then sees for itself.
  [[maybe_unused]] const auto sent = send_message(kControl, wire::encode(event), descriptors);
}

[[noreturn]] void give_up(const Error& error) {
  report(Failed{.message = error.message(), .is_lasting = is_lasting(error)});
  ::_exit(1);
}

// Serves the control socket until either peer is gone. At most one program at a time.
class Init {
 public:
  Init(Strength strength, Fd children, const SystemCallFilter& filter, const InitDescriptors& given, Fd file_wall,
       std::optional<Forerunner> forerunner)
      : strength_(strength),
        reach_(strength == Strength::kNamespace ? Reach::kNamespace : Reach::kDescendants),
        children_(std::move(children)),
        filter_(filter),
        freezer_(given.program_tasks >= 0 ? kProgramTasks : -1),
        niceness_(given.niceness),
        processes_(given.processes),
        memory_watch_(given.out_of_memory >= 0 ? kOutOfMemory : -1),
        memory_watch_is_event_(given.out_of_memory_is_event),
        memory_statistics_(given.memory_statistics >= 0 ? kMemoryStatistics : -1),
        file_wall_(std::move(file_wall)),
        forerunner_(std::move(forerunner)) {}

  void run() {
    while (!over_) {
      std::array<pollfd, 4> waiting = {{{.fd = kControl, .events = POLLIN, .revents = 0},
                                        {.fd = kLifeline, .events = POLLIN, .revents = 0},
                                        {.fd = children_.get(), .events = POLLIN, .revents = 0},
                                        {.fd = memory_watch_,
                                         .events = static_cast<short>(memory_watch_is_event_ ? POLLIN : POLLPRI),
                                         .revents = 0}}};
      const bool runs = program_ && !ended_ && !stopped_;
      const bool looks = runs && memory_limit_ != 0;
      const bool stops_again = stopped_ && stop_again_ms_ != 0;
      const int patience = more_to_reap_ ? 0
                           : ended_      ? kKillAgainMs
                           : looks       ? static_cast<int>(look_.pause().count())
                           : stops_again ? stop_again_ms_
                           : runs        ? static_cast<int>(kNetlinkPause.count())
                                         : -1;
      if (::poll(waiting.data(), waiting.size(), patience) < 0 && errno != EINTR) break;
      if (waiting[1].revents != 0) break;
      if (waiting[3].revents != 0) take_memory_event();
      if (looks) look_at_memory();
      if (runs && reach_ == Reach::kNamespace) look_at_netlink();
      if (stops_again) stop_again_ms_ = stop_all(reach_) ? 0 : std::min(2 * stop_again_ms_, kStopAgainMsMax);
      if (waiting[0].revents != 0) serve();
      if (waiting[2].revents != 0) take_signal();
      if (!over_) reap();
    }
    leave();
  }

 private:
  void take_signal() {
    signalfd_siginfo information;
    const ssize_t size = ::read(children_.get(), &information, sizeof information);
    (void)size;
  }

  // One process was killed, or is about to be: all of them end.
  void take_memory_event() {
    std::array<char, 512> text;
    if (memory_watch_is_event_) {
      if (::read(memory_watch_, text.data(), 8) == 8) end_for_memory();
      return;
    }
    const ssize_t size = ::pread(memory_watch_, text.data(), text.size(), 0);
    const std::string_view events(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    const std::uint64_t kills = number_after("oom_kill", events).value_or(0);
    if (kills == memory_kills_) return;
    memory_kills_ = kills;
    end_for_memory();
  }

  void look_at_memory() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_look_) return;
    if (look_.is_above(memory_limit_)) end_for_memory();
    next_look_ = now + look_.pause();
  }

  // The kernel charges what these sockets hold to nobody.
  void look_at_netlink() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_netlink_look_) return;
    if (netlink_holds_too_much()) end_for_memory();
    next_netlink_look_ = now + kNetlinkPause;
  }

  void end_for_memory() {
    if (!program_) return;
    out_of_memory_ = true;
    if (reach_ == Reach::kNamespace) {
      kill_all(reach_);
    } else {
      // To look for descendants takes memory. What the program leaves is looked for when it has given back its own.
      ::kill(-*program_, SIGKILL);
    }
  }

  void reap() {
    more_to_reap_ = true;
    bool somebody_is_left = true;
    for (int reaped = 0; reaped < kReapedAtOnceMax; ++reaped) {
      int status = 0;
      rusage used{};
      const pid_t pid = ::wait4(-1, &status, WNOHANG | __WALL, &used);
      if (pid <= 0) {
        somebody_is_left = pid == 0 || errno != ECHILD;
        if (!somebody_is_left) nobody_is_left();
        more_to_reap_ = false;
        break;
      }
      max_rss_bytes_ = std::max(max_rss_bytes_, static_cast<std::uint64_t>(used.ru_maxrss) * 1024);
      if (forerunner_ && pid == forerunner_->pid()) forerunner_.reset();
      if (pid == program_) {
        program_.reset();
        ended_ = status;
      }
    }
    if (ended_ && somebody_is_left) kill_all(reach_);
  }

  // Whoever reads /proc/PID/... at the time may hold the memory of a process beyond its end, and what the init then took
  // for the next program would be out of memory at once, the init alone to be killed for it.
  bool memory_is_given_back() const {
    std::array<char, 128> beginning;
    const ssize_t size = ::pread(memory_statistics_, beginning.data(), beginning.size(), 0);
    const std::string_view text(beginning.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return anonymous_bytes(text).value_or(0) <= kOwnBytesMax;
  }

  void nobody_is_left() {
    if (!ended_) return;
    if (++waits_for_memory_ < kKillTriesMax && !memory_is_given_back()) return;
    waits_for_memory_ = 0;
    report(Exited{.wait_status = *std::exchange(ended_, std::nullopt),
                  .max_rss_bytes = max_rss_bytes_,
                  .out_of_memory = std::exchange(out_of_memory_, false)});
  }

  void serve() {
    std::array<char, wire::kControlBytesMax> buffer;
    const ssize_t size = ::recv(kControl, buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0 || size > static_cast<ssize_t>(buffer.size())) {
      over_ = true;
      return;
    }
    const auto request = wire::decode_control_request(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
    if (!request) {
      over_ = true;  // whoever speaks so is not the daemon
    } else if (const auto* program = std::get_if<Program>(&*request)) {
      start(*program);
    } else if (std::holds_alternative<wire::Kill>(*request)) {
      if (program_) kill_all(reach_);
    } else if (const auto* signal = std::get_if<wire::Signal>(&*request)) {
      if (program_) ::kill(*program_, signal->number);
    } else if (std::holds_alternative<wire::Freeze>(*request)) {
      stopped_ = program_.has_value();
      stop_again_ms_ = stopped_ && !stop_all(reach_) ? kStopAgainMs : 0;
    } else if (std::holds_alternative<wire::Thaw>(*request)) {
      stopped_ = false;
      continue_all(reach_);
    } else {
      report(Measured{.pss_bytes = sum_pss_bytes(reach_), .max_rss_bytes = max_rss_bytes_});
    }
  }

  void start(const Program& program) {
    if (program_ || ended_) {
      report(StartFailed{.step = StartFailed::Step::kOther, .path = "", .error = EBUSY});
      return;
    }
    const Walls walls{.system_calls = filter_,
                      .files = file_wall_.get(),
                      .freezer = freezer_,
                      .niceness = niceness_,
                      .processes = processes_};
    auto forerunner = std::exchange(forerunner_, std::nullopt);
    auto started = forerunner ? start_program(std::move(*forerunner), program, file_wall_.get())
                              : start_program(program, strength_, kLog, walls);
    if (const pid_t* pid = std::get_if<pid_t>(&started)) {
      program_ = *pid;
      stopped_ = false;
      // The kernel's buffer for it is taken at the first reading: now, since there may be no memory for it later.
      [[maybe_unused]] const bool none_is_used = memory_is_given_back();
      memory_limit_ = program.memory_bytes;
    } else {
      report(std::get<StartFailed>(std::move(started)));
    }
  }

  // In a namespace the kernel does this when PID 1 ends.
  void leave() {
    if (reach_ == Reach::kNamespace) return;
    for (int tries = 0; tries < kKillTriesMax; ++tries) {
      kill_all(reach_);
      while (::wait4(-1, nullptr, WNOHANG | __WALL, nullptr) > 0) {
      }
      if (::wait4(-1, nullptr, WNOHANG | __WALL, nullptr) < 0 && errno == ECHILD) return;
      ::poll(nullptr, 0, kKillAgainMs);
    }
  }

  const Strength strength_;
  const Reach reach_;
  const Fd children_;  // signalfd of SIGCHLD
  const SystemCallFilter& filter_;
  const int freezer_;
  const int niceness_;
  const int processes_;
  const int memory_watch_;
  const bool memory_watch_is_event_;
  const int memory_statistics_;
  std::uint64_t memory_limit_ = 0;  // of what runs, if it is ours to enforce
  MemoryLook look_{reach_};
  std::chrono::steady_clock::time_point next_look_;
  std::chrono::steady_clock::time_point next_netlink_look_;
  bool stopped_ = false;   // by signals
  int stop_again_ms_ = 0;  // while not all of them are
  bool out_of_memory_ = false;
  std::uint64_t memory_kills_ = 0;  // as memory.events last said
  const Fd file_wall_;
  std::optional<Forerunner> forerunner_;  // until the first program
  std::optional<pid_t> program_;
  std::optional<int> ended_;  // the program's wait status while the rest is being killed
  bool more_to_reap_ = false;
  int waits_for_memory_ = 0;
  std::uint64_t max_rss_bytes_ = 0;
  bool over_ = false;
};

Result<Fd> watch_children() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  const int fd = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return failure(Error::from_errno("signalfd"));
  return Fd(fd);
}

}  // namespace

void run_init(const InitDescriptors& descriptors, Strength strength, const ProcessIds& ids,
              const SystemCallFilter& filter) {
  ::prctl(PR_SET_NAME, "ogni-init", 0, 0, 0);
  if (auto arranged = arrange_descriptors(descriptors); !arranged) ::_exit(1);
  auto listener = strength == Strength::kNamespace ? set_up_namespaces(descriptors) : set_up_process(descriptors, ids);
  auto children = watch_children();
  if (!listener || !children) {
    give_up(!listener ? listener.error() : children.error());
  }
  const std::array passed = {listener->socket.get()};
  report(Listening{.socket = Fd(), .port = listener->port}, passed);
  listener->socket.reset();
  std::optional<Forerunner> forerunner;
  Fd file_wall;
  if (strength == Strength::kNamespace) {
    const Walls walls{.system_calls = filter,
                      .files = -1,
                      .freezer = descriptors.program_tasks >= 0 ? kProgramTasks : -1,
                      .niceness = descriptors.niceness,
                      .processes = descriptors.processes};
    forerunner = Forerunner::make(kLog, walls);
    // Without a memory cgroup it has to see what every process uses.
    const Kept kept = descriptors.out_of_memory < 0 ? Kept::kSight : Kept::kNothing;
    if (auto furnished = furnish(kept); !furnished) give_up(furnished.error());
    auto wall = make_file_wall();
    if (!wall) give_up(wall.error());
    file_wall = std::move(*wall);
  }
  Init(strength, std::move(*children), filter, descriptors, std::move(file_wall), std::move(forerunner)).run();
  ::_exit(0);
}

Result<void> send_begin(int lifeline, const Root& root, std::uint64_t shared_memory_bytes) {
  std::string bytes(reinterpret_cast<const char*>(&shared_memory_bytes), sizeof shared_memory_bytes);
  std::vector<int> descriptors;
  if (root.tree) descriptors.push_back(root.tree.get());
  for (const RootPart& part : root.parts) {
    bytes += part.path + '\0';
    descriptors.push_back(part.tree.get());
  }
  return send_message(lifeline, bytes, descriptors);
}

Result<void> send_trees(int lifeline, const Trees& trees, std::uint64_t tmp_bytes, std::uint32_t address) {
  TreesHeader header;
  header.tmp_bytes = tmp_bytes;
  header.address = address;
  header.has_task = static_cast<bool>(trees.task);
  header.has_runtime = static_cast<bool>(trees.runtime);
  header.has_opt = static_cast<bool>(trees.opt);
  header.has_tmp = static_cast<bool>(trees.tmp);
  header.has_name_servers = static_cast<bool>(trees.name_servers);
  std::vector<int> descriptors;
  for (const Fd* tree : {&trees.task, &trees.runtime, &trees.opt, &trees.tmp, &trees.name_servers}) {
    if (*tree) descriptors.push_back(tree->get());
  }
  return send_message(lifeline, std::string_view(reinterpret_cast<const char*>(&header), sizeof header), descriptors);
}

}  // namespace ogni::sandbox
