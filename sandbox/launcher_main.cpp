// ogni-launcher: the only privileged part of the service. The daemon starts it and asks it for environments over
// descriptor 3; it is not meant to be started by hand.
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "base/system.h"
#include "sandbox/environment_maker.h"
#include "sandbox/kernel.h"
#include "sandbox/lasting.h"
#include "sandbox/launcher_keeper.h"
#include "sandbox/launcher_socket.h"
#include "sandbox/privileges.h"
#include "sandbox/process_tree.h"
#include "sandbox/wire.h"

namespace ogni::sandbox {

namespace {

constexpr auto kTrialTimeMax = std::chrono::seconds(10);
constexpr auto kQuiet = std::chrono::milliseconds(2);

template <typename Number>
bool parse(std::string_view text, Number& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

std::optional<LauncherOptions> parse_arguments(int count, char** arguments) {
  if (count != 11) return std::nullopt;
  LauncherOptions options;
  const auto strength = parse_strength(arguments[1]);
  if (!strength) return std::nullopt;
  options.strength = *strength;
  options.tag = arguments[2];
  // The tag becomes the name of a directory.
  if (options.tag.empty() || options.tag.size() > 32) return std::nullopt;
  for (const char c : options.tag) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) return std::nullopt;
  }
  const bool parsed = parse(arguments[3], options.first_uid) && parse(arguments[4], options.uids) &&
                      parse(arguments[5], options.process.uid) && parse(arguments[6], options.process.gid) &&
                      parse(arguments[7], options.shared_memory_bytes) && options.shared_memory_bytes <= kBytesMax &&
                      parse(arguments[8], options.blank_environments);
  unsigned way_out = 0;
  if (!parsed || !parse(arguments[9], way_out) || way_out > static_cast<unsigned>(WayOutDemand::kMost)) {
    return std::nullopt;
  }
  options.way_out = static_cast<WayOutDemand>(way_out);
  return options;
}

void say(const wire::LauncherMessage& message, std::span<const int> descriptors = {}) {
  // Blocks while the daemon does not read; fails when it is gone, which serve() then sees for itself.
  [[maybe_unused]] const auto sent = send_message(kLauncherSocket, wire::encode(message), descriptors);
}

// The exit status of a launcher that cannot serve.
int cannot_start(const Error& error) {
  const bool lasts = is_lasting(error);
  say(wire::CannotStart{.message = error.message(), .is_lasting = lasts});
  return lasts ? 1 : kTryAgain;
}

// Signals are the daemon's business: one to the whole group (Ctrl-C, a service manager) must not end environments that
// the daemon still drains.
void ignore_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  // All zero is SIG_DFL, as the kernel lays it out. By the system call, because the C library refuses to touch the two
  // signals it uses itself, and its posix_spawn leaves just these ignored in whatever it starts (`make`, for one).
  constexpr std::array<unsigned long, 4> kDefault{};
  for (int number = 1; number < NSIG; ++number) {
    ::syscall(SYS_rt_sigaction, number, kDefault.data(), nullptr, sizeof(unsigned long));
  }
}

void ask(EnvironmentMaker& maker, Message message) {
  const auto request = wire::decode_make_environment(message.bytes);
  if (!request) {
    say(wire::Refused{.id = 0, .code = ErrorCode::kInvalidArgument, .message = "a request that is none"});
    return;
  }
  maker.ask(*request, std::move(message.descriptors));
}

void answer(EnvironmentMaker& maker) {
  for (auto& [id, made] : maker.take_answers()) {
    if (!made) {
      say(wire::Refused{.id = id, .code = made.error().code(), .message = made.error().message()});
      continue;
    }
    std::vector<int> descriptors = {made->control.get(), made->process.get(), made->log.get()};
    const bool has_memory = static_cast<bool>(made->cgroup.memory);
    if (has_memory) {
      descriptors.push_back(made->cgroup.memory_statistics.get());
      descriptors.push_back(made->cgroup.memory.get());
    }
    if (made->cgroup.freezer) descriptors.push_back(made->cgroup.freezer.get());
    if (made->processor_weight != 0) {
      descriptors.push_back(made->cgroup.processor_time.get());
      descriptors.push_back(made->cgroup.processor_idle.get());
      descriptors.push_back(made->cgroup.processor_weight.get());
    }
    say(wire::Made{.id = id,
                   .has_cgroup = has_memory,
                   .freeze_way = made->cgroup.freeze_way,
                   .processor_weight = made->processor_weight},
        descriptors);
  }
}

// The environment's next event.
Result<Event> next_event(int control) {
  if (!wait_readable(control, kTrialTimeMax)) return failure(ErrorCode::kTimedOut, "no sign of life");
  auto message = receive_message(control, wire::kRequestBytesMax);
  if (!message) return failure(std::move(message).error());
  auto event = wire::decode_event(*message);
  if (!event) return failure(ErrorCode::kInternal, "an event that is none");
  if (const auto* failed = std::get_if<Failed>(&*event)) return failure(error_of(*failed));
  return std::move(*event);
}

// Makes one environment and sees it come up, so that a host that cannot is known before the first cold start.
Result<void> try_one(EnvironmentMaker& maker, Strength strength) {
  maker.ask({.id = kTrialId, .strength = strength}, {});
  const auto deadline = std::chrono::steady_clock::now() + kTrialTimeMax;
  auto answers = maker.take_answers();
  while (answers.empty() && std::chrono::steady_clock::now() < deadline) {
    (void)wait_readable(maker.descriptor(), std::chrono::milliseconds(100));
    (void)maker.clear_away();
    answers = maker.take_answers();
  }
  if (answers.empty()) return failure(ErrorCode::kTimedOut, "no answer");
  auto& made = answers.front().made;
  if (!made) return failure(std::move(made).error());
  // It listens before it has all its mounts, and measures after.
  auto sent = send_message(made->control.get(), wire::encode(wire::Measure{}));
  if (!sent) return sent;
  for (;;) {
    auto event = next_event(made->control.get());
    if (!event) return failure(std::move(event).error());
    if (std::holds_alternative<Measured>(*event)) return {};
  }
}

// Until the daemon is gone.
void serve(EnvironmentMaker& maker) {
  std::optional<std::chrono::milliseconds> pause;
  bool stocked = false;
  std::string why_tmp_is_memory = maker.means().why_tmp_is_memory;
  while (!maker.broken()) {
    if (why_tmp_is_memory != maker.means().why_tmp_is_memory) {
      why_tmp_is_memory = maker.means().why_tmp_is_memory;
      say(wire::Ready{.means = maker.means()});
    }
    answer(maker);
    std::array<pollfd, 2> waiting = {{{.fd = kLauncherSocket, .events = POLLIN, .revents = 0},
                                      {.fd = maker.descriptor(), .events = POLLIN, .revents = 0}}};
    // What is made ahead is made when nothing else has happened for a moment.
    const auto patience = stocked ? pause : std::optional(std::min(pause.value_or(kQuiet), kQuiet));
    const int ready = ::poll(waiting.data(), waiting.size(), patience ? static_cast<int>(patience->count()) : -1);
    if (ready < 0 && errno != EINTR) return;
    if (ready == 0 || waiting[1].revents != 0) {
      pause = maker.clear_away();
      stocked = ready == 0 && !maker.stock();
    }
    if (waiting[0].revents == 0) continue;
    stocked = false;
    auto message = receive_message(kLauncherSocket, wire::kRequestBytesMax);
    if (message) {
      ask(maker, std::move(*message));
    } else if (message.error().code() == ErrorCode::kUnavailable) {
      return;
    } else {
      say(wire::Refused{.id = 0, .code = ErrorCode::kInvalidArgument, .message = message.error().message()});
    }
  }
}

int run(int count, char** arguments) {
  const auto options = parse_arguments(count, arguments);
  if (!options) return 2;
  ::umask(022);
  leave_session_keyring();
  if (::chdir("/") != 0) return 1;
  if (::geteuid() == 0 && ::setgroups(0, nullptr) != 0) return cannot_start(Error::from_errno("setgroups"));
  auto maker = EnvironmentMaker::create(*options, arguments[10] == std::string_view("1") ? Fd(kDiskDirectory) : Fd());
  if (!maker) return cannot_start(maker.error());
  if (auto tried = try_one(*maker, options->strength); !tried) {
    maker->end_all();
    return cannot_start(std::move(tried).error().within("trial environment"));
  }
  say(wire::Ready{.means = maker->means()});
  serve(*maker);
  maker->end_all();
  if (options->strength == Strength::kProcess) kill_all(Reach::kDescendants);
  return maker->broken() ? kStartAgain : 0;
}

// A launcher that says it cannot start ends by itself, and is not started again.
int start(int count, char** arguments) {
  if (!parse_arguments(count, arguments)) {
    std::fputs("ogni-launcher is started by `ogni serve`.\n", stderr);
    return 2;
  }
  ignore_signals();
  // What the launcher executes later has no use for these.
  ::syscall(SYS_close_range, kLauncherSocket, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */);
  return keep_launcher(run, count, arguments);
}

}  // namespace

}  // namespace ogni::sandbox

int main(int count, char** arguments) { return ogni::sandbox::start(count, arguments); }
