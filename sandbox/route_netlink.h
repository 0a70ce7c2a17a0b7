// The few requests of rtnetlink(7) that a way out needs. Each waits for the kernel's answer, which comes at once.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

class [[nodiscard]] RouteNetlink {
 public:
  // Of the caller's network namespace, also if the caller changes to another.
  [[nodiscard]] static Result<RouteNetlink> open();
  // A socket of the kind that open() makes, and what it belongs to, from elsewhere.
  explicit RouteNetlink(Fd socket) : socket_(std::move(socket)) {}
  int descriptor() const { return socket_.get(); }

  // A pair of virtual interfaces: one here, the other in the network namespace of `process`. Both have the same hardware
  // address, so that each takes what the other sends to itself: neither has to ask for it.
  [[nodiscard]] Result<void> add_pair(const std::string& name, const std::string& peer, pid_t process);
  // The index of the interface with this name.
  [[nodiscard]] Result<unsigned> find_link(const std::string& name);
  // IPv4 in host order.
  [[nodiscard]] Result<void> add_address(unsigned index, std::uint32_t address, std::uint8_t bits);
  // One of a pair. Without ARP: the table of who is asked for is the whole host's, in all network namespaces, and small.
  // Entries that nobody is asked for can be taken out of it at any time.
  [[nodiscard]] Result<void> set_up(unsigned index);
  [[nodiscard]] Result<void> add_default_route(std::uint32_t gateway);

  // Destinations of IPv4 that the kernel takes for this host, or for all of a network that it is in, by any of its routing
  // tables: "192.0.2.1/32". Sorted.
  [[nodiscard]] Result<std::vector<std::string>> list_local_destinations();

 private:
  Result<std::string> exchange(std::string bytes, const char* step);
  Result<void> ask(std::string bytes, const char* step);

  Fd socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace ogni::sandbox
