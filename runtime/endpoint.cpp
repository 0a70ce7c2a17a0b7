#include "runtime/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstring>

#include "runtime/buffer.h"

namespace ogni::runtime {

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.size() > Endpoint::kAuthorityBytesMax) return std::nullopt;
  const std::int64_t number = parse_decimal(slice(text, colon + 1), 65535);
  if (number <= 0) return std::nullopt;
  const auto port = static_cast<std::uint16_t>(number);

  Endpoint endpoint;
  std::memcpy(endpoint.authority_text, text.data(), text.size());
  char host[Endpoint::kAuthorityBytesMax + 1] = {};
  std::memcpy(host, text.data(), colon);
  if (std::strcmp(host, "localhost") == 0) std::strcpy(host, "127.0.0.1");
  sockaddr_in v4 = {};
  if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&endpoint.address, &v4, sizeof v4);
    endpoint.address_bytes = sizeof v4;
    return endpoint;
  }
  sockaddr_in6 v6 = {};
  if (colon < 2 || host[0] != '[' || host[colon - 1] != ']') return std::nullopt;
  host[colon - 1] = '\0';
  if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1) return std::nullopt;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&endpoint.address, &v6, sizeof v6);
  endpoint.address_bytes = sizeof v6;
  return endpoint;
}

}  // namespace ogni::runtime
