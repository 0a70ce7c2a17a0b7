#include "sandbox/network.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

#include "sandbox/route_netlink.h"

namespace ogni::sandbox {

namespace {
constexpr int kBacklog = 1024;
}

Result<void> raise_loopback() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return failure(Error::from_errno("socket"));
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", sizeof "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return failure(Error::from_errno("raise loopback"));
  return {};
}

Result<void> raise_way_out(std::uint32_t address) {
  auto route = RouteNetlink::open();
  if (!route) return failure(std::move(route).error());
  auto index = route->find_link(kWayOutInterface);
  if (!index) return failure(std::move(index).error());
  if (auto given = route->add_address(*index, address, kWayOutBits); !given) return given;
  if (auto up = route->set_up(*index); !up) return up;
  return route->add_default_route(address - 1);
}

Result<Listener> listen_on_loopback(std::uint16_t port) {
  Listener listener{.socket = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))};
  if (!listener.socket) return failure(Error::from_errno("socket"));
  const int on = 1;
  if (::setsockopt(listener.socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    return failure(Error::from_errno("SO_REUSEADDR"));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.socket.get(), generic, size) != 0) return failure(Error::from_errno("bind"));
  if (::listen(listener.socket.get(), kBacklog) != 0) return failure(Error::from_errno("listen"));
  if (::getsockname(listener.socket.get(), generic, &size) != 0) return failure(Error::from_errno("getsockname"));
  listener.port = ntohs(address.sin_port);
  return listener;
}

}  // namespace ogni::sandbox
