#include <stdexcept>
#include <utility>

#include "ogni/runtime.hpp"
#include "runtime/buffer.h"
#include "runtime/http_parser.h"

namespace ogni {

bool Event::is_json() const {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  constexpr std::string_view kSuffix = "+json";
  return runtime::equals_ignoring_case(type, "application/json") ||
         (type.size() > kSuffix.size() &&
          runtime::equals_ignoring_case(type.substr(type.size() - kSuffix.size()), kSuffix));
}

std::chrono::milliseconds Context::remaining_time() const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::system_clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

Response Response::success(std::string body, std::string content_type) {
  return Response(true, true, std::move(content_type), std::move(body));
}

Response Response::borrowed(std::string_view body, std::string content_type) {
  Response response(true, false, std::move(content_type), {});
  response.borrowed_ = body;
  return response;
}

Response Response::failure(std::string type, std::string message, std::vector<std::string> stack_trace) {
  Response response(false, true, std::move(type), std::move(message));
  response.stack_trace_ = std::move(stack_trace);
  return response;
}

Response Response::streamed(Producer produce) {
  if (!produce) throw std::invalid_argument("a streamed response without a producer");
  Response response(true, true, {}, {});
  response.producer_ = std::move(produce);
  return response;
}

Response& Response::caused_by(Response cause) {
  cause_ = std::make_shared<const Response>(std::move(cause));
  return *this;
}

Response& Response::keep(std::shared_ptr<const void> what) {
  using Both = std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>;
  kept_ = kept_ ? std::make_shared<const Both>(std::move(kept_), std::move(what)) : std::move(what);
  return *this;
}

}  // namespace ogni
