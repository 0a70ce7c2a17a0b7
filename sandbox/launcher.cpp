#include "sandbox/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>

#include "base/system.h"
#include "sandbox/kernel.h"
#include "sandbox/launcher_socket.h"
#include "sandbox/wire.h"

namespace ogni::sandbox {

namespace {

constexpr auto kStartTimeMax = std::chrono::seconds(20);
constexpr auto kEndTimeMax = std::chrono::seconds(10);

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= 32 &&
         std::ranges::all_of(tag, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

// In the child of a process that may have threads: only system calls on memory that is ready.
[[noreturn]] void become_launcher(std::array<int, 4> given, char* const* arguments, char* const* variables) {
  ::setsid();
  constexpr int kAbove = kLauncherLock + 1;
  // Out of the way of the numbers that are about to be given.
  for (int& one : given) {
    if (one >= 0 && (one = ::fcntl(one, F_DUPFD, kAbove)) < 0) ::_exit(127);
  }
  const auto& [program, socket, disks, lock] = given;
  const auto place = [](int from, int to) {
    return from < 0 ? ::close(to) == 0 || errno == EBADF : ::dup2(from, to) >= 0;
  };
  const int null = ::open("/dev/null", O_RDWR);
  if (program >= 0 && null >= 0 && ::dup2(null, STDIN_FILENO) >= 0 && ::dup2(null, STDOUT_FILENO) >= 0 &&
      place(socket, kLauncherSocket) && place(disks, kDiskDirectory) && place(lock, kLauncherLock) &&
      ::syscall(SYS_close_range, kAbove, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */) == 0) {
    ::syscall(SYS_execveat, program, "", arguments, variables, AT_EMPTY_PATH);
  }
  ::_exit(127);
}

void end(const Fd& process) {
  if (!wait_readable(process.get(), kEndTimeMax)) ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  siginfo_t ended{};
  while (::waitid(P_PIDFD, static_cast<id_t>(process.get()), &ended, WEXITED) != 0 && errno == EINTR) {
  }
}

Error cannot_start(const wire::CannotStart& said) {
  return {said.is_lasting ? ErrorCode::kNotFound : ErrorCode::kUnavailable, "launcher: " + said.message};
}

// What the launcher says once it is up. A failure that may pass is followed by another launcher's words, or by the end.
// Blocks.
Result<wire::Ready> wait_until_ready(int socket) {
  const auto deadline = std::chrono::steady_clock::now() + kStartTimeMax;
  Error why(ErrorCode::kUnavailable, "the launcher ended before it said anything");
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !wait_readable(socket, left)) {
      return failure(ErrorCode::kTimedOut, "the launcher does not answer: " + why.message());
    }
    auto message = receive_message(socket, wire::kRequestBytesMax);
    if (!message) return failure(std::move(why));
    auto said = wire::decode_launcher_message(message->bytes);
    if (said && std::holds_alternative<wire::Ready>(*said)) return std::get<wire::Ready>(std::move(*said));
    if (said && std::holds_alternative<wire::CannotStart>(*said)) {
      why = cannot_start(std::get<wire::CannotStart>(*said));
      if (why.code() == ErrorCode::kNotFound) return failure(std::move(why));
    } else if (said && std::holds_alternative<wire::Lost>(*said)) {
      why = Error(ErrorCode::kUnavailable, "the launcher died: " + std::get<wire::Lost>(*said).why);
    } else {
      return failure(ErrorCode::kUnavailable, "the launcher said something unexpected");
    }
  }
}

}  // namespace

std::string_view to_string(Strength strength) { return strength == Strength::kProcess ? "process" : "namespace"; }

std::optional<Strength> parse_strength(std::string_view text) {
  for (const Strength strength : {Strength::kProcess, Strength::kNamespace}) {
    if (text == to_string(strength)) return strength;
  }
  return std::nullopt;
}

Result<Launcher> Launcher::start(const Options& options) {
  if (!is_tag(options.tag)) return failure(ErrorCode::kInvalidArgument, "tag: 1 to 32 of a-z and 0-9");
  auto sockets = socket_pair();
  if (!sockets) return failure(std::move(sockets).error());
  std::vector<std::string> texts = {
      "ogni-launcher",
      std::string(to_string(options.strength)),
      options.tag,
      std::to_string(options.first_uid),
      std::to_string(options.uids),
      std::to_string(options.process_uid),
      std::to_string(options.process_gid),
      std::to_string(options.shared_memory_bytes),
      std::to_string(options.blank_environments),
      std::to_string(static_cast<unsigned>(options.way_out)),
      options.disk_directory >= 0 ? "1" : "0",
  };
  std::vector<char*> arguments;
  arguments.reserve(texts.size() + 1);
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  std::array<char*, 1> variables = {nullptr};  // the daemon's may hold secrets

  const pid_t pid = ::fork();
  if (pid < 0) return failure(Error::from_errno("fork"));
  if (pid == 0) {
    become_launcher({options.program, sockets->second.get(), options.disk_directory, options.lock}, arguments.data(),
                    variables.data());
  }
  sockets->second.reset();
  auto process = open_pidfd(pid);
  if (!process) {
    // Its socket is about to close, which ends it.
    sockets->first.reset();
    ::waitpid(pid, nullptr, 0);
    return failure(std::move(process).error());
  }
  Launcher launcher(std::move(sockets->first), std::move(*process), pid);
  auto ready = wait_until_ready(launcher.descriptor());
  if (!ready) return failure(std::move(ready).error());
  launcher.means_ = std::move(ready->means);
  if (::fcntl(launcher.descriptor(), F_SETFL, O_NONBLOCK) != 0) return failure(Error::from_errno("fcntl"));
  return launcher;
}

Launcher& Launcher::operator=(Launcher&& other) noexcept {
  std::swap(process_, other.process_);
  std::swap(socket_, other.socket_);
  std::swap(pid_, other.pid_);
  std::swap(means_, other.means_);
  std::swap(why_gone_, other.why_gone_);
  return *this;
}

Launcher::~Launcher() {
  if (!process_) return;
  socket_.reset();
  end(process_);
}

Result<void> Launcher::request(const EnvironmentSpec& spec) {
  if (spec.layers.size() > wire::kLayersMax) return failure(ErrorCode::kInvalidArgument, "too many layers");
  wire::MakeEnvironment request{
      .id = spec.id,
      .strength = spec.strength,
      .memory_bytes = spec.memory_bytes,
      .tmp_bytes = spec.tmp_bytes,
      .processor_share = spec.processor_share,
      .processor_limit = spec.processor_limit,
      .egress = spec.egress,
      .layers = static_cast<std::uint32_t>(spec.layers.size()),
  };
  std::vector<int> descriptors;
  if (spec.root >= 0) {
    request.has_root = true;
    descriptors.push_back(spec.root);
  }
  if (spec.task >= 0) {
    request.has_task = true;
    descriptors.push_back(spec.task);
  }
  if (spec.runtime >= 0) {
    request.has_runtime = true;
    descriptors.push_back(spec.runtime);
  }
  descriptors.insert(descriptors.end(), spec.layers.begin(), spec.layers.end());
  auto sent = send_message(socket_.get(), wire::encode(request), descriptors);
  if (sent) return {};
  const int error = sent.error().system_error();
  if (error == EAGAIN || error == ETOOMANYREFS || error == ENOBUFS) {
    return failure(ErrorCode::kLimit, "too many environments are being asked for");
  }
  return failure(ErrorCode::kUnavailable, "launcher: " + sent.error().message());
}

Result<std::optional<LauncherReply>> Launcher::receive() {
  auto message = receive_message(socket_.get(), wire::kRequestBytesMax);
  if (!message) {
    if (message.error().system_error() == EAGAIN) return std::nullopt;
    return failure(ErrorCode::kUnavailable, why_gone_.empty() ? "launcher: " + message.error().message() : why_gone_);
  }
  auto said = wire::decode_launcher_message(message->bytes);
  if (said) {
    if (auto* refused = std::get_if<wire::Refused>(&*said)) {
      return LauncherReply{.id = refused->id, .environment = failure(refused->code, std::move(refused->message))};
    }
    if (auto* lost = std::get_if<wire::Lost>(&*said)) {
      return LauncherReply{
          .id = 0, .environment = failure(ErrorCode::kUnavailable, "the launcher died: " + lost->why), .lost = true};
    }
    if (auto* ready = std::get_if<wire::Ready>(&*said)) {  // after a loss, or there is news of /tmp
      means_ = std::move(ready->means);
      why_gone_.clear();
      return receive();
    }
    if (auto* reason = std::get_if<wire::CannotStart>(&*said)) {
      // The keeper tries again after what may pass.
      why_gone_ = cannot_start(*reason).message();
      if (!reason->is_lasting) return receive();
      return failure(ErrorCode::kUnavailable, why_gone_);
    }
    if (auto* made = std::get_if<wire::Made>(&*said)) {
      if (message->descriptors_lost) {
        return LauncherReply{.id = made->id, .environment = failure(ErrorCode::kLimit, "no descriptors are left")};
      }
      auto& fds = message->descriptors;
      const bool has_freezer = made->freeze_way != FreezeWay::kSignals;
      const bool has_weight = made->processor_weight != 0;
      if (fds.size() == 3U + (made->has_cgroup ? 2U : 0U) + (has_freezer ? 1U : 0U) + (has_weight ? 3U : 0U)) {
        Environment::Handles handles;
        handles.control = std::move(fds[0]);
        handles.process = std::move(fds[1]);
        handles.log = std::move(fds[2]);
        if (made->has_cgroup) {
          handles.memory_stat = std::move(fds[3]);
          handles.cgroup = std::move(fds[4]);
        }
        std::size_t next = made->has_cgroup ? 5 : 3;
        if (has_freezer) handles.freezer = std::move(fds[next++]);
        if (has_weight) {
          handles.processor_time = std::move(fds[next++]);
          handles.processor_idle = std::move(fds[next++]);
          handles.processor_weight = std::move(fds[next]);
          handles.weight = made->processor_weight;
        }
        handles.freeze_way = made->freeze_way;
        return LauncherReply{.id = made->id, .environment = Environment(std::move(handles))};
      }
    }
  }
  return failure(ErrorCode::kUnavailable, "the launcher said something unexpected");
}

}  // namespace ogni::sandbox
