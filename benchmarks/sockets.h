// The few socket calls that the benchmarks share. What fails ends the program with a message: a benchmark has no use for
// half a result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/fd.h"

namespace ogni::benchmarks {

[[noreturn]] void give_up(const char* doing);

// A listening socket on 127.0.0.1 and its port.
Fd listen_on_loopback(std::uint16_t& port);
Fd connect_to_loopback(std::uint16_t port);
Fd accept_on(const Fd& listener);
// Sends both parts in one call where the kernel takes them. False when the peer is gone.
bool send_parts(int socket, std::string_view first, std::string_view second);

}  // namespace ogni::benchmarks
