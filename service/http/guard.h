// Keeps web pages out. A service on loopback without credentials is reachable from every page that a browser
// on the same host shows; deploying a function is running code. Three things give a page away: the Origin
// header, Sec-Fetch-Site, and, when a name of the page's own was made to point here (DNS rebinding), the Host
// header.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/http/message.h"

namespace ogni::http {

class Guard {
 public:
  // `host_names` are accepted besides localhost, *.localhost and loopback addresses; without port.
  explicit Guard(std::vector<std::string> host_names = {}) : host_names_(std::move(host_names)) {}

  // Why the request is refused; nothing when it may pass.
  std::optional<std::string_view> refusal(const Request& request) const;
  bool is_own_host(std::string_view host_and_port) const;

 private:
  std::vector<std::string> host_names_;
};

}  // namespace ogni::http
