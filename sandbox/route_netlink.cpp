#include "sandbox/route_netlink.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>

namespace ogni::sandbox {

namespace {

constexpr std::size_t kAnswerBytesMax = 64 * 1024;
constexpr std::string_view kPairMac("\x02\0\0\0\0\x02", 6);

template <typename T>
void put(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

enum class Answer { kAcknowledgement, kData };

std::string begin(std::uint16_t type, int flags, Answer answer = Answer::kAcknowledgement) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags =
      static_cast<std::uint16_t>(NLM_F_REQUEST | (answer == Answer::kAcknowledgement ? NLM_F_ACK : 0) | flags);
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

// All zero where there are fewer bytes.
template <typename T>
T take(std::string_view bytes, std::size_t at) {
  T value{};
  if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

Result<std::string> receive(int socket, const char* step) {
  std::string bytes(kAnswerBytesMax, 0);
  ssize_t count = 0;
  while ((count = ::recv(socket, bytes.data(), bytes.size(), 0)) < 0 && errno == EINTR) {
  }
  if (count < 0) return failure(Error::from_errno(step));
  bytes.resize(static_cast<std::size_t>(count));
  if (bytes.size() < sizeof(nlmsghdr)) return failure(ErrorCode::kInternal, std::string(step) + ": no answer");
  return bytes;
}

Result<void> error_in(std::string_view message, const char* step) {
  const int error = take<int>(message, NLMSG_HDRLEN);
  if (error == 0) return {};
  return failure(Error::from_errno(step, -error));
}

// A default route by a table of its own (for a transparent proxy, say) does not make every address this host's.
std::optional<std::string> local_destination(std::string_view message) {
  const auto route = take<rtmsg>(message, NLMSG_HDRLEN);
  const bool is_here = route.rtm_type == RTN_LOCAL || route.rtm_type == RTN_BROADCAST || route.rtm_type == RTN_ANYCAST;
  if (!is_here || route.rtm_dst_len == 0) return std::nullopt;
  for (std::size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof route); at + sizeof(rtattr) <= message.size();) {
    const auto attribute = take<rtattr>(message, at);
    if (attribute.rta_len < sizeof attribute) break;
    if (attribute.rta_type == RTA_DST) {
      const auto address = take<in_addr>(message, at + RTA_LENGTH(0));
      std::array<char, INET_ADDRSTRLEN> text{};
      ::inet_ntop(AF_INET, &address, text.data(), text.size());
      return std::string(text.data()) + "/" + std::to_string(route.rtm_dst_len);
    }
    at += RTA_ALIGN(attribute.rta_len);
  }
  return std::nullopt;
}

}  // namespace

Result<RouteNetlink> RouteNetlink::open() {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return failure(Error::from_errno("socket of rtnetlink"));
  return RouteNetlink(std::move(socket));
}

Result<std::string> RouteNetlink::exchange(std::string bytes, const char* step) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data() + offsetof(nlmsghdr, nlmsg_len), &size, sizeof size);
  ++sequence_;
  std::memcpy(bytes.data() + offsetof(nlmsghdr, nlmsg_seq), &sequence_, sizeof sequence_);
  if (::send(socket_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return failure(Error::from_errno(step));
  }
  return receive(socket_.get(), step);
}

Result<void> RouteNetlink::ask(std::string bytes, const char* step) {
  auto answer = exchange(std::move(bytes), step);
  if (!answer) return failure(std::move(answer).error());
  return error_in(*answer, step);
}

Result<unsigned> RouteNetlink::find_link(const std::string& name) {
  constexpr const char* kStep = "find an interface";
  std::string bytes = begin(RTM_GETLINK, 0, Answer::kData);
  put(bytes, ifinfomsg{});
  put_name(bytes, IFLA_IFNAME, name);
  auto answer = exchange(std::move(bytes), kStep);
  if (!answer) return failure(std::move(answer).error());
  const auto header = take<nlmsghdr>(*answer, 0);
  if (header.nlmsg_type == NLMSG_ERROR) {
    auto error = error_in(*answer, kStep);
    return error ? failure(ErrorCode::kNotFound, kStep) : failure(std::move(error).error());
  }
  return static_cast<unsigned>(take<ifinfomsg>(*answer, NLMSG_HDRLEN).ifi_index);
}

Result<std::vector<std::string>> RouteNetlink::list_local_destinations() {
  constexpr const char* kStep = "list the host's addresses";
  std::string bytes = begin(RTM_GETROUTE, NLM_F_DUMP, Answer::kData);
  rtmsg wanted{};
  wanted.rtm_family = AF_INET;
  put(bytes, wanted);
  std::vector<std::string> found;
  bool interrupted = false;
  for (auto answer = exchange(std::move(bytes), kStep);; answer = receive(socket_.get(), kStep)) {
    if (!answer) return failure(std::move(answer).error());
    for (std::string_view rest = *answer; rest.size() >= sizeof(nlmsghdr);) {
      const auto header = take<nlmsghdr>(rest, 0);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) break;
      interrupted = interrupted || (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      if (header.nlmsg_type == NLMSG_ERROR) {
        if (auto error = error_in(rest, kStep); !error) return failure(std::move(error).error());
      }
      if (header.nlmsg_type == NLMSG_DONE) {
        if (interrupted) return list_local_destinations();  // the tables changed meanwhile
        std::ranges::sort(found);
        found.erase(std::ranges::unique(found).begin(), found.end());
        return found;
      }
      if (auto destination = local_destination(rest.substr(0, header.nlmsg_len))) found.push_back(*destination);
      rest.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), rest.size()));
    }
  }
}

Result<void> RouteNetlink::add_pair(const std::string& name, const std::string& peer, pid_t process) {
  std::string other;
  put(other, ifinfomsg{});
  put_name(other, IFLA_IFNAME, peer);
  put_attribute(other, IFLA_ADDRESS, kPairMac);
  put_number(other, IFLA_NET_NS_PID, static_cast<std::uint32_t>(process));
  std::string data;
  put_attribute(data, VETH_INFO_PEER, other);
  std::string kind;
  put_attribute(kind, IFLA_INFO_KIND, "veth");
  put_attribute(kind, IFLA_INFO_DATA, data);
  std::string bytes = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  put(bytes, ifinfomsg{});
  put_name(bytes, IFLA_IFNAME, name);
  put_attribute(bytes, IFLA_ADDRESS, kPairMac);
  put_attribute(bytes, IFLA_LINKINFO, kind);
  return ask(std::move(bytes), "make a pair of interfaces");
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
  link.ifi_flags = IFF_UP | IFF_NOARP;
  link.ifi_change = IFF_UP | IFF_NOARP;
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
