#include "sandbox/gateway.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/system.h"
#include "sandbox/nft.h"
#include "sandbox/user_namespace.h"

namespace ogni::sandbox {

namespace {

constexpr const char* kTap = "out";
// The last network of the carriers' range, which no environment's is.
constexpr const char* kTapAddress = "100.127.255.254";
constexpr const char* kTapGateway = "100.127.255.253";
constexpr auto kPatience = std::chrono::seconds(10);
// What dies at once is not started again at once.
constexpr auto kBetweenStartsMin = std::chrono::seconds(1);

// What one environment may have going on at a time: as many connections as it may have descriptors. Ports of UDP are bound
// in the host's network, so they come from a small range, and flows of UDP are soon forgotten.
constexpr const char* kRules = R"(table inet ogni {
 set host { type ipv4_addr; flags interval; auto-merge; }
 set flows { type ipv4_addr; size 65535; flags dynamic; }
 chain input {
  type filter hook input priority 0; policy drop;
 }
 chain output {
  type filter hook output priority 0; policy drop;
 }
 chain forward {
  type filter hook forward priority 0; policy drop;
  iifname "out" oifname "og*" ct state established,related accept
  iifname != "og*" drop
  oifname != "out" drop
  ip saddr != 100.64.0.0/14 drop
  ip daddr { NEVER } drop
  ip daddr @host drop
  tcp dport 25 drop
  meta l4proto != { tcp, udp, icmp } drop
  ct state new add @flows { ip saddr ct count over 1024 } drop
  meta nfproto ipv4 accept
 }
 chain postrouting {
  type nat hook postrouting priority 100; policy accept;
  oifname != "out" accept
  meta l4proto udp masquerade to :32768-40959
  masquerade
 }
}
)";
constexpr std::string_view kUdpTimeoutSeconds = "10";

std::string join(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

// Readable at changes of the IPv4 routes, and of the addresses, of this network namespace.
Result<Fd> open_news() {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!socket) return failure(Error::from_errno("socket of rtnetlink"));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_IFADDR;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return failure(Error::from_errno("listen to rtnetlink"));
  }
  return socket;
}

// True when any of the messages tells of a new default route.
bool drain_news(const Fd& news) {
  bool has_default = false;
  std::array<char, 16'384> buffer;
  for (;;) {
    const ssize_t count = ::recv(news.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EINTR || errno == ENOBUFS)) continue;  // what was lost, a look at the tables tells
    if (count < static_cast<ssize_t>(NLMSG_SPACE(sizeof(rtmsg)))) return has_default;
    nlmsghdr header;
    rtmsg route;
    std::memcpy(&header, buffer.data(), sizeof header);
    std::memcpy(&route, buffer.data() + NLMSG_HDRLEN, sizeof route);
    has_default = has_default || (header.nlmsg_type == RTM_NEWROUTE && route.rtm_dst_len == 0);
  }
}

// A process that does nothing: the namespaces are found by its number.
[[noreturn]] void hold(int lifeline) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // beside the lifeline
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);         // else pasta may not look at its namespaces
  ::prctl(PR_SET_NAME, "ogni-gateway", 0, 0, 0);
  constexpr int kLifeline = 3;
  if (!keep_only(std::array{lifeline}) || !send_message(kLifeline, "+")) ::_exit(1);
  [[maybe_unused]] const auto end = receive_message(kLifeline, 16);
  ::_exit(0);
}

void wait_for(const Child& child) {
  while (::waitpid(child.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// Before pasta, whose words would be less plain.
Result<void> check_device(int host_mounts) {
  auto child = fork_into(0, -1);
  if (!child) return failure(std::move(child).error());
  if (child->pid == 0) {
    if (::setns(host_mounts, CLONE_NEWNS) != 0) ::_exit(1);
    if (::access("/usr/bin/pasta", X_OK) != 0 && ::access("/usr/local/bin/pasta", X_OK) != 0) ::_exit(2);
    const int device = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    ::_exit(device >= 0 ? 0 : errno == EACCES || errno == EPERM ? 3 : 4);
  }
  int status = 0;
  while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  switch (WIFEXITED(status) ? WEXITSTATUS(status) : 1) {
    case 0:
      return {};
    case 2:
      return failure(ErrorCode::kNotFound, "pasta is not there (package passt)");
    case 3:
      return failure(ErrorCode::kUnavailable,
                     "this user may not open /dev/net/tun (hosts usually let everybody: chmod 666 /dev/net/tun)");
    case 4:
      return failure(ErrorCode::kNotFound, "/dev/net/tun is not there (modprobe tun)");
    default:
      return failure(ErrorCode::kUnavailable, "the host's files cannot be looked at");
  }
}

}  // namespace

Result<std::unique_ptr<WayOut>> Gateway::create(int host_mounts) {
  Fd mounts(::fcntl(host_mounts, F_DUPFD_CLOEXEC, 0));
  if (!mounts) return failure(Error::from_errno("duplicate the mount namespace"));
  Fd happened(::epoll_create1(EPOLL_CLOEXEC));
  if (!happened) return failure(Error::from_errno("epoll_create"));
  if (auto checked = check_device(host_mounts); !checked) return failure(std::move(checked).error());
  std::unique_ptr<Gateway> gateway(new Gateway(std::move(mounts), std::move(happened)));
  for (const auto step : {&Gateway::make_namespace, &Gateway::load_rules, &Gateway::enter_with_sockets,
                          &Gateway::watch_host, &Gateway::watch_pasta, &Gateway::start_pasta}) {
    if (auto done = (*gateway.*step)(); !done) return failure(std::move(done).error());
  }
  return gateway;
}

Gateway::~Gateway() {
  pasta_.reset();
  if (!holder_.process) return;
  holder_lifeline_.reset();
  wait_for(holder_);
}

Result<void> Gateway::make_namespace() {
  auto lifeline = socket_pair();
  if (!lifeline) return failure(std::move(lifeline).error());
  auto holder = fork_into(CLONE_NEWUSER | CLONE_NEWNET, -1);
  if (!holder) return failure(std::move(holder).error());
  if (holder->pid == 0) hold(lifeline->second.get());
  holder_ = std::move(*holder);
  holder_lifeline_ = std::move(lifeline->first);
  lifeline->second.reset();
  if (!wait_readable(holder_lifeline_.get(), kPatience) || !receive_message(holder_lifeline_.get(), 16)) {
    return failure(ErrorCode::kUnavailable, "the gateway's namespaces do not come up");
  }
  return map_root(holder_.pid, ::geteuid(), ::getegid());
}

Result<void> Gateway::load_rules() {
  std::string rules = kRules;
  constexpr std::string_view kPlace = "NEVER";
  rules.replace(rules.find(kPlace), kPlace.size(), kNever);
  auto loaded = run_nft(host_mounts_.get(), holder_.process.get(), rules);
  if (!loaded) return failure(std::move(loaded).error());
  return {};
}

// Sockets belong to the namespace that they were made in, and to whom: a child goes in, since nobody comes out again.
Result<void> Gateway::enter_with_sockets() {
  auto sockets = socket_pair();
  if (!sockets) return failure(std::move(sockets).error());
  auto child = fork_into(0, -1);
  if (!child) return failure(std::move(child).error());
  if (child->pid == 0) {
    if (::setns(holder_.process.get(), CLONE_NEWNET) != 0) ::_exit(1);
    if (!write_control_file(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1")) ::_exit(1);
    [[maybe_unused]] const auto hastier =
        write_control_file(AT_FDCWD, "/proc/sys/net/netfilter/nf_conntrack_udp_timeout", kUdpTimeoutSeconds);
    const auto route = RouteNetlink::open();
    const auto news = open_news();
    if (!route || !news) ::_exit(1);
    const std::array descriptors = {route->descriptor(), news->get()};
    ::_exit(send_message(sockets->second.get(), "+", descriptors) ? 0 : 1);
  }
  sockets->second.reset();
  auto message = receive_message(sockets->first.get(), 16);
  wait_for(*child);
  if (!message || message->descriptors.size() != 2) {
    return failure(ErrorCode::kUnavailable, "the gateway's network cannot be set up");
  }
  inside_.emplace(std::move(message->descriptors[0]));
  inside_news_ = std::move(message->descriptors[1]);
  return {};
}

Result<void> Gateway::watch(int descriptor) const {
  epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
  if (::epoll_ctl(happened_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
    return failure(Error::from_errno("watch the way out"));
  }
  return {};
}

Result<void> Gateway::watch_pasta() {
  start_again_ = Fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!start_again_) return failure(Error::from_errno("timerfd"));
  return watch(start_again_.get());
}

Result<void> Gateway::watch_host() {
  auto route = RouteNetlink::open();
  if (!route) return failure(std::move(route).error());
  host_.emplace(std::move(*route));
  auto news = open_news();
  if (!news) return failure(std::move(news).error());
  host_news_ = std::move(*news);
  if (auto watched = watch(host_news_.get()); !watched) return watched;
  return follow_host();
}

Result<void> Gateway::follow_host() {
  drain_news(host_news_);
  auto destinations = host_->list_local_destinations();
  if (!destinations) return failure(std::move(destinations).error());
  if (*destinations == host_destinations_) return {};
  std::string script = "flush set inet ogni host\n";
  if (!destinations->empty()) script += "add element inet ogni host { " + join(*destinations) + " }\n";
  auto loaded = run_nft(host_mounts_.get(), holder_.process.get(), script);
  if (!loaded) return failure(std::move(loaded).error());
  host_destinations_ = std::move(*destinations);
  return {};
}

Result<void> Gateway::start_pasta() {
  drain_news(inside_news_);
  pasta_start_ = std::chrono::steady_clock::now();
  auto pasta =
      Pasta::start(host_mounts_.get(), holder_.pid, {.name = kTap, .address = kTapAddress, .gateway = kTapGateway});
  if (!pasta) return failure(std::move(pasta).error());
  std::array<pollfd, 2> waiting = {{{.fd = inside_news_.get(), .events = POLLIN, .revents = 0},
                                    {.fd = pasta->process(), .events = POLLIN, .revents = 0}}};
  while (!drain_news(inside_news_)) {
    if (std::chrono::steady_clock::now() - pasta_start_ > kPatience) {
      return failure(ErrorCode::kTimedOut, "pasta does not come up");
    }
    (void)::poll(waiting.data(), waiting.size(), 100);
    if (waiting[1].revents != 0) return failure(ErrorCode::kUnavailable, "pasta: " + pasta->read_words());
  }
  if (auto watched = watch(pasta->process()); !watched) return watched;
  pasta_.emplace(std::move(*pasta));
  return {};
}

Result<std::uint32_t> Gateway::connect(pid_t process) {
  attend();
  if (!pasta_) {
    if (auto followed = follow_host(); !followed) return failure(std::move(followed).error());
    if (auto started = start_pasta(); !started) return failure(std::move(started).error());
  }
  return add_pair(*inside_, "og", kCarrierRange, process);
}

void Gateway::attend() {
  const bool has_ended = pasta_ && wait_readable(pasta_->process(), std::chrono::milliseconds(0));
  if (has_ended) pasta_.reset();
  if (wait_readable(host_news_.get(), std::chrono::milliseconds(0)) && !follow_host()) {
    pasta_.reset();  // rather no way out than one to a host that is not known
    return;
  }
  if (has_ended) start_again_in(kBetweenStartsMin - (std::chrono::steady_clock::now() - pasta_start_));
  std::uint64_t times = 0;
  if (::read(start_again_.get(), &times, sizeof times) == sizeof times && !pasta_) {
    [[maybe_unused]] const auto started = start_pasta();  // if not, connect() says why
  }
}

void Gateway::start_again_in(std::chrono::nanoseconds pause) const {
  const auto soon = std::max<std::chrono::nanoseconds>(pause, std::chrono::milliseconds(1));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(soon);
  const itimerspec when{.it_interval = {},
                        .it_value = {.tv_sec = seconds.count(), .tv_nsec = (soon - seconds).count()}};
  ::timerfd_settime(start_again_.get(), 0, &when, nullptr);
}

}  // namespace ogni::sandbox
