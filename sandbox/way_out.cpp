#include "sandbox/way_out.h"

#include "sandbox/network.h"

namespace ogni::sandbox {

Result<std::uint32_t> WayOut::add_pair(RouteNetlink& route, const std::string& prefix, std::uint32_t first,
                                       pid_t process) {
  // In turn, so that an address is used again as late as can be: what its last environment has left in connection tracking
  // would be the next one's.
  for (std::uint32_t tries = 0; tries < kNetworksMax; ++tries) {
    const std::uint32_t number = next_++ % kNetworksMax;
    const std::string outside = prefix + std::to_string(number);
    if (route.find_link(outside)) continue;
    const std::uint32_t gateway = first + number * 4 + 1;
    if (auto made = route.add_pair(outside, kWayOutInterface, process); !made) return failure(std::move(made).error());
    auto index = route.find_link(outside);
    if (!index) return failure(std::move(index).error());
    if (auto given = route.add_address(*index, gateway, kWayOutBits); !given) return failure(std::move(given).error());
    if (auto up = route.set_up(*index); !up) return failure(std::move(up).error());
    return gateway + 1;
  }
  return failure(ErrorCode::kLimit, "too many environments with a way out");
}

}  // namespace ogni::sandbox
