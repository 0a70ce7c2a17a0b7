#include "sandbox/egress.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "base/system.h"
#include "sandbox/route_netlink.h"

namespace ogni::sandbox {

namespace {

constexpr const char* kForwarding = "/proc/sys/net/ipv4/ip_forward";
constexpr const char* kInside = "eth0";
constexpr std::uint32_t kCarrierRange = 0x64400000;  // 100.64.0.0
constexpr std::uint8_t kPairBits = 30;
constexpr std::size_t kSaidMax = 1 << 20;
constexpr std::string_view kTablePrefix = "ogni_";
// A chain without rules, in the table of who has to switch forwarding off in the end: so a launcher that was killed has
// said so to its successor, and whoever goes first to whoever stays.
constexpr std::string_view kForwardingWasOff = "forwarding_was_off";

std::string text_of(std::uint32_t address) {
  const in_addr network{.s_addr = htonl(address)};
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &network, text.data(), text.size());
  return text.data();
}

std::string hex_of(std::uint32_t value) {
  std::string text;
  for (int shift = 12; shift >= 0; shift -= 4) text += "0123456789abcdef"[(value >> shift) & 15];
  return text;
}

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failure(Error::from_errno("pipe"));
  return Pipe{.read = Fd(ends[0]), .write = Fd(ends[1])};
}

// In a child: nft of the host, in the mount namespace that has it.
[[noreturn]] void become_nft(int host_mounts, int input, int output) {
  std::array<const char*, 4> words = {"nft", "-f", "-", nullptr};
  std::array<char*, 1> variables = {nullptr};
  if (::dup2(input, STDIN_FILENO) >= 0 && ::dup2(output, STDOUT_FILENO) >= 0 &&
      ::setns(host_mounts, CLONE_NEWNS) == 0) {
    for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
      ::execve(path, const_cast<char* const*>(words.data()), variables.data());
    }
  }
  ::_exit(127);
}

// What nft prints for `script`, which is shorter than a pipe holds.
Result<std::string> run_nft(const Fd& host_mounts, const std::string& script) {
  auto input = make_pipe();
  if (!input) return failure(std::move(input).error());
  auto output = make_pipe();
  if (!output) return failure(std::move(output).error());
  const pid_t pid = ::fork();
  if (pid < 0) return failure(Error::from_errno("fork"));
  if (pid == 0) become_nft(host_mounts.get(), input->read.get(), output->write.get());
  input->read.reset();
  output->write.reset();
  const auto written = write_all(input->write.get(), script);
  input->write.reset();
  std::string said;
  std::array<char, 4096> buffer;
  for (ssize_t count = 1; count != 0;) {
    count = ::read(output->read.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    if (said.size() < kSaidMax) said.append(buffer.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return failure(ErrorCode::kNotFound, "nft is not there (package nftables)");
  }
  if (!written) return failure(written.error());
  if (status != 0) return failure(ErrorCode::kUnavailable, "nft refuses the rules for the way out");
  return said;
}

// The tables of services like this one, by name: those with a way out that is open.
std::vector<std::string> find_tables(const Fd& host_mounts) {
  std::vector<std::string> names;
  const auto said = run_nft(host_mounts, "list tables inet\n");
  if (!said) return names;
  constexpr std::string_view kBefore = "table inet ";
  for (std::size_t at = said->find(kBefore); at != std::string::npos; at = said->find(kBefore, at)) {
    at += kBefore.size();
    std::string name = said->substr(at, said->find('\n', at) - at);
    if (name.starts_with(kTablePrefix)) names.push_back(std::move(name));
  }
  return names;
}

// Does `work` in the network namespace of a process, and comes back.
template <typename Work>
Result<void> within_network(pid_t process, const Work& work) {
  auto own = open_file("/proc/self/ns/net", O_RDONLY);
  if (!own) return failure(std::move(own).error());
  auto theirs = open_file("/proc/" + std::to_string(process) + "/ns/net", O_RDONLY);
  if (!theirs) return failure(std::move(theirs).error());
  if (::setns(theirs->get(), CLONE_NEWNET) != 0) return failure(Error::from_errno("enter the network namespace"));
  // A socket belongs to the namespace that it was made in.
  auto route = RouteNetlink::open();
  const unsigned index = ::if_nametoindex(kInside);
  if (::setns(own->get(), CLONE_NEWNET) != 0) ::_exit(1);  // a launcher in a function's network must not go on
  if (!route) return failure(std::move(route).error());
  if (index == 0) return failure(ErrorCode::kNotFound, "no interface in the environment");
  return work(*route, index);
}

}  // namespace

Egress::Egress(std::string tag, Fd host_mounts) : tag_(std::move(tag)), host_mounts_(std::move(host_mounts)) {
  hash_ = 2166136261U;
  for (const char c : tag_) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 16777619U;
}

Egress::Egress(Egress&& other) noexcept
    : tag_(std::exchange(other.tag_, {})), hash_(other.hash_), host_mounts_(std::move(other.host_mounts_)) {}

Egress::~Egress() {
  if (!tag_.empty()) clear_away(tag_, host_mounts_);
}

void Egress::sweep(std::string_view tag, int host_mounts) {
  if (const Fd mounts(::fcntl(host_mounts, F_DUPFD_CLOEXEC, 0)); mounts) clear_away(tag, mounts);
}

void Egress::clear_away(std::string_view tag, const Fd& host_mounts) {
  const std::string own = std::string(kTablePrefix).append(tag);
  std::vector<std::string> others = find_tables(host_mounts);
  if (std::erase(others, own) == 0) return;
  const auto rules = run_nft(host_mounts, "list table inet " + own + "\n");
  const bool was_off = rules && rules->find(kForwardingWasOff) != std::string::npos;
  std::string script = "delete table inet " + own + "\n";
  if (was_off && !others.empty())
    script += "add chain inet " + others.front() + " " + std::string(kForwardingWasOff) + "\n";
  [[maybe_unused]] const auto removed = run_nft(host_mounts, script);
  if (was_off && others.empty()) [[maybe_unused]]
    const auto off = write_control_file(AT_FDCWD, kForwarding, "0");
}

std::string Egress::prefix() const { return "og" + hex_of(hash_) + "s"; }

std::uint32_t Egress::network() const { return kCarrierRange + ((hash_ >> 16) & 15) * (kSlotsMax * 4); }

Result<Egress> Egress::create(std::string_view tag, int host_mounts) {
  Fd mounts(::fcntl(host_mounts, F_DUPFD_CLOEXEC, 0));
  if (!mounts) return failure(Error::from_errno("duplicate the mount namespace"));
  Egress egress(std::string(tag), std::move(mounts));
  const auto forwarding = read_file(kForwarding, 16);
  const bool is_off = !forwarding || !forwarding->starts_with('1');
  if (auto loaded = egress.load_rules(is_off); !loaded) return failure(std::move(loaded).error());
  if (is_off) {
    auto on = write_control_file(AT_FDCWD, kForwarding, "1");
    if (!on) return failure(std::move(on).error().within("sysctl net.ipv4.ip_forward"));
  }
  return egress;
}

Result<void> Egress::load_rules(bool forwarding_is_off) const {
  const std::string table = std::string("inet ").append(kTablePrefix).append(tag_);
  const std::string marker = forwarding_is_off ? " chain " + std::string(kForwardingWasOff) + " {\n }\n" : "";
  const std::string ours = "\"" + prefix() + "*\"";
  const std::string all = text_of(network()) + "/14";
  // Added and deleted first: what a predecessor left is replaced in the same transaction.
  auto loaded = run_nft(host_mounts_,
                        "add table " + table + "\ndelete table " + table + "\ntable " + table + " {\n" + marker +
                            " chain input {\n  type filter hook input priority -10; policy accept;\n"
                            "  iifname " +
                            ours +
                            " drop\n }\n"
                            " chain forward {\n  type filter hook forward priority -10; policy accept;\n"
                            "  iifname " +
                            ours +
                            " meta nfproto != ipv4 drop\n"
                            "  iifname " +
                            ours + " ip saddr != " + all +
                            " drop\n"
                            "  iifname " +
                            ours +
                            " ip daddr { 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 100.64.0.0/10, 224.0.0.0/3 } drop\n"
                            "  iifname " +
                            ours +
                            " tcp dport 25 drop\n"
                            "  oifname " +
                            ours +
                            " ct state established,related accept\n"
                            "  oifname " +
                            ours +
                            " drop\n }\n"
                            " chain postrouting {\n  type nat hook postrouting priority 100; policy accept;\n"
                            "  ip saddr " +
                            all + " oifname != " + ours + " masquerade\n }\n}\n");
  if (!loaded) return failure(std::move(loaded).error());
  return {};
}

Result<void> Egress::connect(std::uint32_t slot, pid_t process) const {
  if (slot >= kSlotsMax) return failure(ErrorCode::kLimit, "too many environments with a way out");
  const std::string outside = prefix() + std::to_string(slot);
  const std::uint32_t gateway = network() + slot * 4 + 1;
  auto route = RouteNetlink::open();
  if (!route) return failure(std::move(route).error());
  // The slot's last environment may still be on its way out.
  [[maybe_unused]] const auto removed = route->remove_link(outside);
  if (auto made = route->add_pair(outside, kInside, process); !made) return made;
  const unsigned index = ::if_nametoindex(outside.c_str());
  if (auto given = route->add_address(index, gateway, kPairBits); !given) return given;
  if (auto up = route->set_up(index); !up) return up;
  return within_network(process, [&](RouteNetlink& inside, unsigned their_index) -> Result<void> {
    if (auto given = inside.add_address(their_index, gateway + 1, kPairBits); !given) return given;
    if (auto up = inside.set_up(their_index); !up) return up;
    return inside.add_default_route(gateway);
  });
}

}  // namespace ogni::sandbox
