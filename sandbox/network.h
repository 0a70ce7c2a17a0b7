// The environment's network: its loopback, and the one socket that the program's server listens on.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

inline constexpr std::uint16_t kServerPort = 9001;  // in namespaces; where AWS has it

// The environment's end of what leads to its way out (way_out.h), and the size of the network that it shares with the other.
inline constexpr const char* kWayOutInterface = "eth0";
inline constexpr std::uint8_t kWayOutBits = 30;

// Sets the loopback interface of this network namespace up.
[[nodiscard]] Result<void> raise_loopback();

// Gives kWayOutInterface of this network namespace its IPv4 address (in host order), and the default route over it. The
// gateway has the address before.
[[nodiscard]] Result<void> raise_way_out(std::uint32_t address);

struct Listener {
  Fd socket;  // non-blocking
  std::uint16_t port = 0;
};
// Listens on 127.0.0.1:`port`; 0 = any free port.
[[nodiscard]] Result<Listener> listen_on_loopback(std::uint16_t port);

}  // namespace ogni::sandbox
