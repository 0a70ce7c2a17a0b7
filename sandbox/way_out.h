// A way out of environments to other hosts, whoever makes it: egress.h as root, gateway.h as an ordinary user.
//
// What both promise: never this host itself, whatever its address; never link-local addresses (metadata services), other
// environments, or port 25; nothing comes in that is no answer. IPv4 only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "sandbox/route_netlink.h"

namespace ogni::sandbox {

class WayOut {
 public:
  WayOut() = default;
  WayOut(const WayOut&) = delete;
  WayOut& operator=(const WayOut&) = delete;
  virtual ~WayOut() = default;

  // Puts an interface into the network namespace of `process`, with which it goes. Returns the IPv4 address, in host order,
  // that raise_way_out() (network.h) gives it from inside.
  [[nodiscard]] virtual Result<std::uint32_t> connect(pid_t process) = 0;

  // Readable when attend() has something to do; -1 = never.
  virtual int descriptor() const { return -1; }
  virtual void attend() {}

 protected:
  // Destinations that lead nowhere but to trouble, whichever host this is: elements of a set of nft.
  static constexpr const char* kNever = "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 100.64.0.0/10, 224.0.0.0/3";
  static constexpr std::uint32_t kCarrierRange = 0x64400000;  // 100.64.0.0/10, for carriers

  static constexpr std::uint32_t kNetworksMax = 65'536;

  // A pair of interfaces: one where `route` speaks to, its name `prefix` and a number, and the environment's, in a network of
  // four addresses, of the /14 that begins with `first`. Returns the environment's address.
  Result<std::uint32_t> add_pair(RouteNetlink& route, const std::string& prefix, std::uint32_t first, pid_t process);

 private:
  std::uint32_t next_ = 0;
};

}  // namespace ogni::sandbox
