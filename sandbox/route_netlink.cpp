#include "sandbox/route_netlink.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace ogni::sandbox {

namespace {

template <typename T>
void put(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string begin(std::uint16_t type, int flags) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  std::string bytes;
  put(bytes, header);
  return bytes;
}

void put_attribute(std::string& bytes, int type, std::string_view value) {
  const rtattr attribute{.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size())),
                         .rta_type = static_cast<std::uint16_t>(type)};
  put(bytes, attribute);
  bytes.append(value);
  bytes.resize(RTA_ALIGN(bytes.size()));
}

template <typename T>
void put_number(std::string& bytes, int type, const T& value) {
  put_attribute(bytes, type, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
}

void put_name(std::string& bytes, int type, const std::string& name) {
  put_attribute(bytes, type, std::string_view(name.c_str(), name.size() + 1));
}

}  // namespace

Result<RouteNetlink> RouteNetlink::open() {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return failure(Error::from_errno("socket of rtnetlink"));
  return RouteNetlink(std::move(socket));
}

Result<void> RouteNetlink::ask(std::string bytes, const char* step) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data() + offsetof(nlmsghdr, nlmsg_len), &size, sizeof size);
  ++sequence_;
  std::memcpy(bytes.data() + offsetof(nlmsghdr, nlmsg_seq), &sequence_, sizeof sequence_);
  if (::send(socket_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return failure(Error::from_errno(step));
  }
  std::array<char, 8192> answer;
  const ssize_t count = ::recv(socket_.get(), answer.data(), answer.size(), 0);
  if (count < static_cast<ssize_t>(sizeof(nlmsghdr) + sizeof(int))) return failure(Error::from_errno(step));
  int error = 0;
  std::memcpy(&error, answer.data() + sizeof(nlmsghdr), sizeof error);
  if (error == 0) return {};
  errno = -error;
  return failure(Error::from_errno(step));
}

Result<void> RouteNetlink::add_pair(const std::string& name, const std::string& peer, pid_t process) {
  std::string other;
  put(other, ifinfomsg{});
  put_name(other, IFLA_IFNAME, peer);
  put_number(other, IFLA_NET_NS_PID, static_cast<std::uint32_t>(process));
  std::string data;
  put_attribute(data, VETH_INFO_PEER, other);
  std::string kind;
  put_attribute(kind, IFLA_INFO_KIND, "veth");
  put_attribute(kind, IFLA_INFO_DATA, data);
  std::string bytes = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  put(bytes, ifinfomsg{});
  put_name(bytes, IFLA_IFNAME, name);
  put_attribute(bytes, IFLA_LINKINFO, kind);
  return ask(std::move(bytes), "make a pair of interfaces");
}

Result<void> RouteNetlink::remove_link(const std::string& name) {
  std::string bytes = begin(RTM_DELLINK, 0);
  put(bytes, ifinfomsg{});
  put_name(bytes, IFLA_IFNAME, name);
  return ask(std::move(bytes), "remove an interface");
}

Result<void> RouteNetlink::add_address(unsigned index, std::uint32_t address, std::uint8_t bits) {
  std::string bytes = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  put(bytes,
      ifaddrmsg{.ifa_family = AF_INET, .ifa_prefixlen = bits, .ifa_flags = 0, .ifa_scope = 0, .ifa_index = index});
  put_number(bytes, IFA_LOCAL, htonl(address));
  put_number(bytes, IFA_ADDRESS, htonl(address));
  return ask(std::move(bytes), "give an interface its address");
}

Result<void> RouteNetlink::set_up(unsigned index) {
  std::string bytes = begin(RTM_NEWLINK, 0);
  ifinfomsg link{};
  link.ifi_index = static_cast<int>(index);
  link.ifi_flags = IFF_UP;
  link.ifi_change = IFF_UP;
  put(bytes, link);
  return ask(std::move(bytes), "set an interface up");
}

Result<void> RouteNetlink::add_default_route(std::uint32_t gateway) {
  std::string bytes = begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_UNICAST;
  put(bytes, route);
  put_number(bytes, RTA_GATEWAY, htonl(gateway));
  return ask(std::move(bytes), "add the default route");
}

}  // namespace ogni::sandbox
