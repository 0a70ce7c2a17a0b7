#include "service/http/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/text.h"

namespace ogni::http {
namespace {

constexpr std::string_view kScheme = "http://";  // the only one that this service speaks

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

// The host of "host:port", "[v6]:port" or "host"; nothing if it is none of these.
std::optional<std::string_view> without_port(std::string_view text) {
  std::size_t end = text.find(':');
  std::string_view host;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return {};
    host = text.substr(1, bracket - 1);
    end = bracket + 1;
    if (end != text.size() && text[end] != ':') return {};
  } else {
    host = text.substr(0, end);
  }
  if (host.empty()) return {};
  if (end < text.size() && !is_port(text.substr(end + 1))) return {};
  return host;
}

bool is_loopback_address(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace

bool Guard::is_own_host(std::string_view host_and_port) const {
  const auto given = without_port(host_and_port);
  if (!given) return false;
  std::string host = to_lower(*given);
  if (is_loopback_address(host)) return true;
  if (host.ends_with('.')) host.pop_back();
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  for (const std::string& name : host_names_) {
    if (equals_ignoring_case(host, name)) return true;
  }
  return false;
}

std::optional<std::string_view> Guard::refusal(const Request& request) const {
  // HTTP/1.0 knows no Host, and no browser speaks it: nothing to rebind. The connection refuses HTTP/1.1 without it.
  const std::size_t hosts = request.count_headers("Host");
  if (hosts > 1 || (hosts == 1 && !is_own_host(request.header("Host")))) {
    return "The Host header is not an address or name of this service.";
  }
  if (const auto site = request.find_header("Sec-Fetch-Site")) {
    if (!equals_ignoring_case(*site, "same-origin") && !equals_ignoring_case(*site, "none")) {
      return "Requests from web pages of another origin are refused.";
    }
  }
  if (request.count_headers("Origin") > 0) {
    const std::string own = std::string(kScheme) + std::string(request.header("Host"));
    if (request.count_headers("Origin") > 1 || hosts == 0 || !equals_ignoring_case(request.header("Origin"), own)) {
      return "Requests from web pages of another origin are refused.";
    }
  }
  return {};
}

}  // namespace ogni::http
