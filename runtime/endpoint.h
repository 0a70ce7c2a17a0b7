// Where the Runtime API is: AWS_LAMBDA_RUNTIME_API, "host:port" without scheme.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string_view>

namespace ogni::runtime {

struct Endpoint {
  static constexpr std::size_t kAuthorityBytesMax = 255;

  sockaddr_storage address = {};
  socklen_t address_bytes = 0;
  char authority_text[kAuthorityBytesMax + 1] = {};  // as given; the Host field

  std::string_view authority() const { return authority_text; }
};

// Takes an IPv4 address, an IPv6 address in brackets, or "localhost", with a port. Names are not resolved:
// the platform gives a number, and the resolver would make a static program larger than the rest of it.
std::optional<Endpoint> parse_endpoint(std::string_view text);

}  // namespace ogni::runtime
