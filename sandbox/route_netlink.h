// The few requests of rtnetlink(7) that a way out needs. Each waits for the kernel's answer, which comes at once.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

class [[nodiscard]] RouteNetlink {
 public:
  // Of the caller's network namespace, also if the caller changes to another.
  [[nodiscard]] static Result<RouteNetlink> open();

  // A pair of virtual interfaces: one here, the other in the network namespace of `process`.
  [[nodiscard]] Result<void> add_pair(const std::string& name, const std::string& peer, pid_t process);
  [[nodiscard]] Result<void> remove_link(const std::string& name);
  // IPv4 in host order.
  [[nodiscard]] Result<void> add_address(unsigned index, std::uint32_t address, std::uint8_t bits);
  [[nodiscard]] Result<void> set_up(unsigned index);
  [[nodiscard]] Result<void> add_default_route(std::uint32_t gateway);

 private:
  explicit RouteNetlink(Fd socket) : socket_(std::move(socket)) {}
  Result<void> ask(std::string bytes, const char* step);

  Fd socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace ogni::sandbox
