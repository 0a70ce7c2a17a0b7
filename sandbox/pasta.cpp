#include "sandbox/pasta.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "base/system.h"

namespace ogni::sandbox {

namespace {

// Where the keeper's descriptors are: keep_only()'s order.
constexpr int kLifeline = 3;
constexpr int kSaid = 4;
constexpr int kHostMounts = 5;
constexpr const char* kGatewayMac = "02:00:00:00:00:01";

std::vector<std::string> words_for(pid_t holder, const Pasta::Device& device) {
  return {"pasta", "--foreground", "--quiet", "--ipv4-only", "--config-net", "--ns-ifname", device.name,
          // Of the host's own network nothing is copied, so there need not be one yet.
          "--interface", "lo", "--mac-addr", kGatewayMac, "--address", device.address, "--netmask", "30", "--gateway",
          device.gateway, "--dns", "none", "--search", "none",
          // No port leads in, and none out to the host's loopback.
          "--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none", "--no-map-gw",
          "--no-dhcp", "--no-dhcpv6", "--no-ndp", "--no-ra", std::to_string(holder)};
}

[[noreturn]] void become_pasta(std::vector<std::string>& words) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<char*, 1> variables = {nullptr};
  // It waits for its children by SIGCHLD. All others stay blocked: when a service manager signals everybody, the daemon
  // still drains.
  sigset_t children;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_UNBLOCK, &children, nullptr);
  if (::dup2(kSaid, STDOUT_FILENO) >= 0 && ::dup2(kSaid, STDERR_FILENO) >= 0) {
    for (const char* path : {"/usr/bin/pasta", "/usr/local/bin/pasta", "/bin/pasta"}) {
      ::execve(path, arguments.data(), variables.data());
    }
  }
  constexpr std::string_view kWhy = "pasta cannot be executed";
  [[maybe_unused]] const ssize_t written = ::write(kSaid, kWhy.data(), kWhy.size());
  ::_exit(127);
}

// PID 1 of a namespace of pasta's own: with it pasta ends, although it has made itself deaf to the end of its parent.
[[noreturn]] void keep(const std::array<int, 3>& descriptors, std::vector<std::string> words) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // beside the lifeline
  ::prctl(PR_SET_NAME, "ogni-pasta", 0, 0, 0);
  ::setsid();
  if (!keep_only(descriptors) || ::setns(kHostMounts, CLONE_NEWNS) != 0) ::_exit(1);
  auto pasta = fork_into(0, -1);
  if (!pasta) ::_exit(1);
  if (pasta->pid == 0) become_pasta(words);
  ::close(kSaid);
  std::array<pollfd, 2> waiting = {{{.fd = kLifeline, .events = POLLIN, .revents = 0},
                                    {.fd = pasta->process.get(), .events = POLLIN, .revents = 0}}};
  while (::poll(waiting.data(), waiting.size(), -1) < 0 && errno == EINTR) {
  }
  ::_exit(0);
}

}  // namespace

Result<Pasta> Pasta::start(int host_mounts, pid_t holder, const Device& device) {
  auto lifeline = socket_pair();
  if (!lifeline) return failure(std::move(lifeline).error());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failure(Error::from_errno("pipe"));
  Fd said(ends[0]);
  const Fd says(ends[1]);
  if (::fcntl(said.get(), F_SETFL, O_NONBLOCK) != 0) return failure(Error::from_errno("fcntl"));
  std::vector<std::string> words = words_for(holder, device);
  auto keeper = fork_into(CLONE_NEWPID, -1);
  if (!keeper) return failure(std::move(keeper).error());
  if (keeper->pid == 0) keep({lifeline->second.get(), says.get(), host_mounts}, std::move(words));
  return Pasta(std::move(*keeper), std::move(lifeline->first), std::move(said));
}

Pasta::~Pasta() {
  if (!keeper_.process) return;
  lifeline_.reset();
  while (::waitpid(keeper_.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string Pasta::read_words() const {
  std::array<char, 1024> buffer;
  const ssize_t count = ::read(said_.get(), buffer.data(), buffer.size());
  const std::string_view all(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  std::string line(all.substr(0, all.find('\n')));
  return line.empty() ? "it ended without a word" : line;
}

}  // namespace ogni::sandbox
