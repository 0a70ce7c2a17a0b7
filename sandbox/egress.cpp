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

#include "base/system.h"
#include "sandbox/route_netlink.h"

namespace ogni::sandbox {

namespace {

constexpr const char* kForwarding = "/proc/sys/net/ipv4/ip_forward";
constexpr const char* kInside = "eth0";
constexpr std::uint32_t kCarrierRange = 0x64400000;  // 100.64.0.0
constexpr std::uint8_t kPairBits = 30;

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

// nft of the host, with `script` as its input.
Result<void> run_nft(const Fd& host_mounts, const std::string& script) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failure(Error::from_errno("pipe"));
  Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return failure(Error::from_errno("fork"));
  if (pid == 0) {
    std::array<const char*, 4> words = {"nft", "-f", "-", nullptr};
    std::array<char*, 1> variables = {nullptr};
    if (::dup2(read_end.get(), STDIN_FILENO) >= 0 && ::setns(host_mounts.get(), CLONE_NEWNS) == 0) {
      for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
        ::execve(path, const_cast<char* const*>(words.data()), variables.data());
      }
    }
    ::_exit(127);
  }
  read_end.reset();
  const auto written = write_all(write_end.get(), script);
  write_end.reset();
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return failure(ErrorCode::kNotFound, "nft is not there (package nftables)");
  }
  if (!written) return written;
  if (status != 0) return failure(ErrorCode::kUnavailable, "nft refuses the rules for the way out");
  return {};
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
    : tag_(std::exchange(other.tag_, {})),
      hash_(other.hash_),
      host_mounts_(std::move(other.host_mounts_)),
      forwarding_was_off_(std::exchange(other.forwarding_was_off_, false)) {}

Egress::~Egress() {
  if (tag_.empty()) return;
  [[maybe_unused]] const auto removed = run_nft(host_mounts_, "delete table inet ogni_" + tag_ + "\n");
  if (forwarding_was_off_) [[maybe_unused]]
    const auto off = write_control_file(AT_FDCWD, kForwarding, "0");
}

std::string Egress::prefix() const { return "og" + hex_of(hash_) + "s"; }

std::uint32_t Egress::network() const { return kCarrierRange + ((hash_ >> 16) & 15) * (kSlotsMax * 4); }

Result<Egress> Egress::create(std::string_view tag, int host_mounts) {
  Fd mounts(::fcntl(host_mounts, F_DUPFD_CLOEXEC, 0));
  if (!mounts) return failure(Error::from_errno("duplicate the mount namespace"));
  Egress egress(std::string(tag), std::move(mounts));
  if (auto loaded = egress.load_rules(); !loaded) return failure(std::move(loaded).error());
  const auto forwarding = read_file(kForwarding, 16);
  if (!forwarding || !forwarding->starts_with('1')) {
    auto on = write_control_file(AT_FDCWD, kForwarding, "1");
    if (!on) return failure(std::move(on).error().within("sysctl net.ipv4.ip_forward"));
    egress.forwarding_was_off_ = true;
  }
  return egress;
}

Result<void> Egress::load_rules() const {
  const std::string table = "inet ogni_" + tag_;
  const std::string ours = "\"" + prefix() + "*\"";
  const std::string all = text_of(network()) + "/14";
  // Added and deleted first: what a predecessor left is replaced in the same transaction.
  return run_nft(host_mounts_,
                 "add table " + table + "\ndelete table " + table + "\ntable " + table +
                     " {\n"
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
