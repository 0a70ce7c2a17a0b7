#include "sandbox/egress.h"

#include <arpa/inet.h>
#include <fcntl.h>

#include <array>
#include <utility>
#include <vector>

#include "base/system.h"
#include "sandbox/nft.h"

namespace ogni::sandbox {

namespace {

constexpr const char* kForwarding = "/proc/sys/net/ipv4/ip_forward";
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

// The tables of services like this one, by name: those with a way out that is open.
std::vector<std::string> find_tables(const Fd& host_mounts) {
  std::vector<std::string> names;
  const auto said = run_nft(host_mounts.get(), -1, "list tables inet\n");
  if (!said) return names;
  constexpr std::string_view kBefore = "table inet ";
  for (std::size_t at = said->find(kBefore); at != std::string::npos; at = said->find(kBefore, at)) {
    at += kBefore.size();
    std::string name = said->substr(at, said->find('\n', at) - at);
    if (name.starts_with(kTablePrefix)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

Egress::Egress(std::string tag, Fd host_mounts) : tag_(std::move(tag)), host_mounts_(std::move(host_mounts)) {
  hash_ = 2166136261U;
  for (const char c : tag_) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 16777619U;
}

Egress::~Egress() {
  if (is_open_) clear_away(tag_, host_mounts_);
}

void Egress::sweep(std::string_view tag, int host_mounts) {
  if (const Fd mounts(::fcntl(host_mounts, F_DUPFD_CLOEXEC, 0)); mounts) clear_away(tag, mounts);
}

void Egress::clear_away(std::string_view tag, const Fd& host_mounts) {
  const std::string own = std::string(kTablePrefix).append(tag);
  std::vector<std::string> others = find_tables(host_mounts);
  if (std::erase(others, own) == 0) return;
  const auto rules = run_nft(host_mounts.get(), -1, "list table inet " + own + "\n");
  const bool was_off = rules && rules->find(kForwardingWasOff) != std::string::npos;
  std::string script = "delete table inet " + own + "\n";
  if (was_off && !others.empty())
    script += "add chain inet " + others.front() + " " + std::string(kForwardingWasOff) + "\n";
  [[maybe_unused]] const auto removed = run_nft(host_mounts.get(), -1, script);
  if (was_off && others.empty()) [[maybe_unused]]
    const auto off = write_control_file(AT_FDCWD, kForwarding, "0");
}

std::string Egress::prefix() const { return "og" + hex_of(hash_) + "s"; }

// Services on one host share its addresses; which are taken, their rules say.
Result<void> Egress::choose_network() {
  constexpr std::uint32_t kNetworks = 16;
  std::string script;
  for (const std::string& name : find_tables(host_mounts_)) {
    if (name != std::string(kTablePrefix).append(tag_)) script += "list table inet " + name + "\n";
  }
  const auto taken = script.empty() ? Result<std::string>() : run_nft(host_mounts_.get(), -1, script);
  for (std::uint32_t tries = 0; tries < kNetworks; ++tries) {
    network_ = kCarrierRange + (((hash_ >> 16) + tries) % kNetworks) * (kNetworksMax * 4);
    if (!taken || !taken->contains(text_of(network_) + "/14")) return {};
  }
  return failure(ErrorCode::kLimit, "too many services with a way out");
}

Result<std::unique_ptr<WayOut>> Egress::create(std::string_view tag, int host_mounts) {
  Fd mounts(::fcntl(host_mounts, F_DUPFD_CLOEXEC, 0));
  if (!mounts) return failure(Error::from_errno("duplicate the mount namespace"));
  std::unique_ptr<Egress> egress(new Egress(std::string(tag), std::move(mounts)));
  if (auto chosen = egress->choose_network(); !chosen) return failure(std::move(chosen).error());
  const auto forwarding = read_file(kForwarding, 16);
  const bool is_off = !forwarding || !forwarding->starts_with('1');
  if (auto loaded = egress->load_rules(is_off); !loaded) return failure(std::move(loaded).error());
  egress->is_open_ = true;
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
  const std::string all = text_of(network_) + "/14";
  const std::string from = "  iifname " + ours + " ";
  const std::string to = "  oifname " + ours + " ";
  const std::string never = from + "ip daddr { " + kNever + " } drop\n";
  // Added and deleted first: what a predecessor left is replaced in the same transaction.
  std::string script = "add table " + table + "\ndelete table " + table + "\ntable " + table + " {\n" + marker;
  script += " set flows { type ipv4_addr; size 65535; flags dynamic; }\n";
  // Before any rule of the host's gives a packet another destination: what is addressed to the host, or to a metadata
  // service, may lead to a container, a proxy or another machine.
  script += " chain first {\n  type filter hook prerouting priority -300; policy accept;\n";
  script += from + "meta nfproto != ipv4 drop\n" + never;
  script += from + "fib daddr type { local, broadcast, anycast } drop\n }\n";
  script += " chain input {\n  type filter hook input priority -10; policy accept;\n" + from + "drop\n }\n";
  script += " chain forward {\n  type filter hook forward priority -10; policy accept;\n";
  script += from + "meta nfproto != ipv4 drop\n" + from + "ip saddr != " + all + " drop\n" + never;
  script += from + "tcp dport 25 drop\n";
  // The host's own table of connections is not one environment's to fill.
  script += from + "ct state new add @flows { ip saddr ct count over 1024 } drop\n";
  script += to + "ct state established,related accept\n" + to + "drop\n }\n";
  script += " chain postrouting {\n  type nat hook postrouting priority 100; policy accept;\n";
  script += "  ip saddr " + all + " oifname != " + ours + " masquerade\n }\n}\n";
  auto loaded = run_nft(host_mounts_.get(), -1, script);
  if (!loaded) return failure(std::move(loaded).error());
  return {};
}

Result<std::uint32_t> Egress::connect(pid_t process) {
  auto route = RouteNetlink::open();
  if (!route) return failure(std::move(route).error());
  return add_pair(*route, prefix(), network_, process);
}

}  // namespace ogni::sandbox
