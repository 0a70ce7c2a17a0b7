// The environment's network: its loopback, and the one socket that the program's server listens on.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

inline constexpr std::uint16_t kServerPort = 9001;  // in namespaces; where AWS has it

// Sets the loopback interface of this network namespace up.
[[nodiscard]] Result<void> raise_loopback();

struct Listener {
  Fd socket;  // non-blocking
  std::uint16_t port = 0;
};
// Listens on 127.0.0.1:`port`; 0 = any free port.
[[nodiscard]] Result<Listener> listen_on_loopback(std::uint16_t port);

}  // namespace ogni::sandbox
