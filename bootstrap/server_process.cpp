#include "bootstrap/server_process.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>

#include "bootstrap/spawn.h"
#include "runtime/endpoint.h"

namespace ogni::bootstrap {
namespace {

// How often the server's end is looked for where the kernel has no pidfd (before 5.3).
constexpr std::chrono::milliseconds kPoll{50};

int milliseconds_until(ServerProcess::Clock::time_point until) {
  if (until == ServerProcess::Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - ServerProcess::Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
}

}  // namespace

std::optional<ServerAddress> ServerAddress::parse(std::string_view text) {
  ServerAddress result;
  result.text = text;
  if (text.starts_with("unix:")) {
    const std::string_view path = text.substr(5);
    auto* local = reinterpret_cast<sockaddr_un*>(&result.address);
    if (path.empty() || path.size() >= sizeof local->sun_path) return std::nullopt;
    local->sun_family = AF_UNIX;
    std::memcpy(local->sun_path, path.data(), path.size());
    result.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return result;
  }
  const auto endpoint = runtime::parse_endpoint(text);
  if (!endpoint) return std::nullopt;
  result.address = endpoint->address;
  result.bytes = endpoint->address_bytes;
  return result;
}

bool ServerProcess::start(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                          const std::string& directory, int input) {
  end();
  const Placement placement = {input, STDIN_FILENO};
  process_ = spawn({.arguments = arguments,
                    .environment = environment,
                    .descriptors = {&placement, input >= 0 ? 1u : 0u},
                    .directory = directory.c_str()});
  if (process_ < 0) return false;
  process_descriptor_ = Descriptor(open_process(process_));
  return true;
}

bool ServerProcess::is_running() const {
  siginfo_t info = {};
  return process_ > 0 && ::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

// Source: PF_EXITING in the kernel's include/linux/sched.h; field 9 of /proc/pid/stat has the flags.
bool ServerProcess::is_ending() const {
  constexpr unsigned long kExiting = 0x4;
  if (process_ <= 0) return false;
  const std::string flags = process_field(process_, 9);
  unsigned long value = 0;
  std::from_chars(flags.data(), flags.data() + flags.size(), value);
  return (value & kExiting) != 0;
}

bool ServerProcess::has_succeeded() const {
  siginfo_t info = {};
  return process_ > 0 && ::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid != 0 && info.si_code == CLD_EXITED && info.si_status == 0;
}

void ServerProcess::end() {
  if (process_ <= 0) return;
  ::kill(-process_, SIGKILL);
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, &wait_status_, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  process_descriptor_.close();
}

void ServerProcess::stop(std::chrono::milliseconds max) const {
  stop_process(process_, process_descriptor_.get(), max);
}

int ServerProcess::take_wait_status() {
  end();
  return wait_status_;
}

ServerProcess::Event ServerProcess::wait(int descriptor, short events, Clock::time_point until) const {
  while (true) {
    pollfd watched[2] = {{descriptor, events, 0}, {process_descriptor_.get(), POLLIN, 0}};
    const int left = milliseconds_until(until);
    const int limit = static_cast<int>(kPoll.count());
    const int timeout = process_descriptor_ ? left : left < 0 ? limit : std::min(left, limit);
    const int count = ::poll(watched, 2, timeout);
    if (watched[0].revents != 0) return Event::kReady;
    if (watched[1].revents != 0 || (!process_descriptor_ && has_ended())) return Event::kEnded;
    if (count <= 0 && Clock::now() >= until) return Event::kTime;
  }
}

Descriptor listen_on(const ServerAddress& address) {
  Descriptor socket = lift(::socket(address.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (address.address.ss_family == AF_UNIX) ::unlink(reinterpret_cast<const sockaddr_un&>(address.address).sun_path);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address.address);
  if (!socket || ::bind(socket.get(), generic, address.bytes) != 0 || ::listen(socket.get(), 16) != 0) return {};
  return socket;
}

Descriptor connect_to(const ServerAddress& address, const ServerProcess& server,
                      ServerProcess::Clock::time_point until) {
  Descriptor socket = lift(::socket(address.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return {};
  const int on = 1;
  if (address.address.ss_family != AF_UNIX) ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.address), address.bytes) == 0) return socket;
  if (errno != EINPROGRESS) return {};
  if (server.wait(socket.get(), POLLOUT, until) != ServerProcess::Event::kReady) {
    errno = ETIMEDOUT;
    return {};
  }
  int error = 0;
  socklen_t bytes = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &bytes);
  if (error == 0) return socket;
  errno = error;
  return {};
}

}  // namespace ogni::bootstrap
