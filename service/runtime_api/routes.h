// What a request to the Runtime API asks for.
#pragma once

#include <string_view>

#include "protocol/runtime_api.h"
#include "service/http/message.h"

namespace ogni::service {

enum class Call { kNext, kResponse, kError, kInitError, kPing, kNotFound, kWrongMethod };

struct Target {
  Call call = Call::kNotFound;
  std::string_view request_id;
};

inline Target parse_target(http::Method method, std::string_view path) {
  const bool get = method == http::Method::kGet;
  const bool post = method == http::Method::kPost;
  if (path == protocol::kNextPath) return {.call = get ? Call::kNext : Call::kWrongMethod};
  if (path == protocol::kInitErrorPath) return {.call = post ? Call::kInitError : Call::kWrongMethod};
  if (path == protocol::kPingPath) return {.call = get ? Call::kPing : Call::kWrongMethod};
  if (path.starts_with(protocol::kInvocationPathPrefix)) {
    path.remove_prefix(protocol::kInvocationPathPrefix.size());
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos || slash == 0) return {};
    const std::string_view last = path.substr(slash + 1);
    Target target{.request_id = path.substr(0, slash)};
    if (last == "response") target.call = post ? Call::kResponse : Call::kWrongMethod;
    if (last == "error") target.call = post ? Call::kError : Call::kWrongMethod;
    return target;
  }
  return {};
}

}  // namespace ogni::service
