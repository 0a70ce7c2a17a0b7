#include "aws/lambda-runtime/runtime.h"

#include <cstdlib>
#include <string_view>

#include "aws/lambda-runtime/version.h"
#include "aws/logging/logging.h"
#include "ogni/runtime.h"
#include "runtime/failure.h"
#include "runtime/json_text.h"

namespace aws::lambda_runtime {
namespace {

constexpr char kTag[] = "LAMBDA_RUNTIME";
constexpr char kUserAgent[] = "ogni-aws-lambda-cpp/" OGNI_VERSION;

using http::response_code;
using ogni::runtime::current_exception_type;

std::string address(std::string_view endpoint) {
  constexpr std::string_view kScheme = "http://";
  if (endpoint.starts_with(kScheme)) endpoint.remove_prefix(kScheme.size());
  if (endpoint.ends_with('/')) endpoint.remove_suffix(1);
  return std::string(endpoint);
}

std::string text(const ogni_runtime* runtime, int which) {
  std::size_t bytes = 0;
  const char* begin = ogni_text(runtime, which, &bytes);
  return {begin, bytes};
}

runtime::post_outcome outcome_of(int status) {
  switch (status) {
    case OGNI_OK:
      return no_result{};
    case OGNI_REFUSED:
      return response_code::BAD_REQUEST;
    case OGNI_BAD_ARGUMENT:
      return response_code::FORBIDDEN;
    default:
      return response_code::REQUEST_NOT_MADE;
  }
}

invocation_response call(const std::function<invocation_response(invocation_request const&)>& handler,
                         const invocation_request& request) {
  try {
    return handler(request);
  } catch (const std::exception& exception) {
    const char* const what = exception.what();
    return invocation_response::failure(what == nullptr ? "" : what, current_exception_type());
  } catch (...) {
    return invocation_response::failure("the handler threw something that is not a std::exception",
                                        current_exception_type());
  }
}

}  // namespace

invocation_response invocation_response::success(std::string payload, std::string content_type) {
  invocation_response response({}, {}, true);
  response.payload_ = std::move(payload);
  response.content_type_ = std::move(content_type);
  return response;
}

invocation_response invocation_response::failure(std::string const& error_message, std::string const& error_type) {
  invocation_response response(ogni::runtime::error_json(error_type, error_message, {}), "application/json", false);
  response.error_type_ = error_type;
  return response;
}

runtime::runtime(std::string const& endpoint) : runtime(endpoint, kUserAgent) {}

runtime::runtime(std::string const& endpoint, std::string const& user_agent)
    : runtime_(ogni_open(address(endpoint).c_str(), user_agent.c_str())) {
  if (runtime_ == nullptr) logging::log_error(kTag, "\"%s\" is not an address of the Runtime API", endpoint.c_str());
}

runtime::~runtime() { ogni_close(runtime_); }

runtime::next_outcome runtime::get_next() {
  if (ogni_next(runtime_) != OGNI_OK) return response_code::REQUEST_NOT_MADE;
  invocation_request request;
  std::size_t bytes = 0;
  const char* event = ogni_event(runtime_, &bytes);
  request.payload.assign(event, bytes);
  request.request_id = text(runtime_, OGNI_REQUEST_ID);
  request.xray_trace_id = text(runtime_, OGNI_TRACE_ID);
  request.client_context = text(runtime_, OGNI_CLIENT_CONTEXT);
  request.cognito_identity = text(runtime_, OGNI_COGNITO_IDENTITY);
  request.function_arn = text(runtime_, OGNI_INVOKED_FUNCTION_ARN);
  request.content_type = text(runtime_, OGNI_CONTENT_TYPE);
  request.tenant_id = text(runtime_, OGNI_TENANT_ID);
  request.deadline += std::chrono::milliseconds(ogni_deadline_ms(runtime_));
  return request;
}

bool runtime::is_current(std::string const& request_id) const { return request_id == ogni_request_id(runtime_); }

runtime::post_outcome runtime::post_success(std::string const& request_id, invocation_response const& response) {
  if (!is_current(request_id)) return response_code::BAD_REQUEST;
  return outcome_of(
      ogni_respond(runtime_, response.payload_.data(), response.payload_.size(), response.content_type_.c_str()));
}

runtime::post_outcome runtime::post_failure(std::string const& request_id, invocation_response const& response) {
  if (!is_current(request_id)) return response_code::BAD_REQUEST;
  const std::string_view body = response.payload_.empty() ? "{}" : std::string_view(response.payload_);
  const char* type = response.error_type_.empty() ? "Function.Unhandled" : response.error_type_.c_str();
  return outcome_of(ogni_fail_json(runtime_, type, body.data(), body.size()));
}

void run_handler(std::function<invocation_response(invocation_request const&)> const& handler) {
  const char* endpoint = std::getenv("AWS_LAMBDA_RUNTIME_API");
  runtime loop(endpoint == nullptr ? std::string() : endpoint);
  while (true) {
    const runtime::next_outcome next = loop.get_next();
    if (!next.is_success()) return;
    const invocation_request& request = next.get_result();
    const invocation_response response = call(handler, request);
    const runtime::post_outcome posted = response.is_success() ? loop.post_success(request.request_id, response)
                                                               : loop.post_failure(request.request_id, response);
    if (!posted.is_success() && posted.get_failure() == response_code::REQUEST_NOT_MADE) return;
  }
}

unsigned get_version_major() { return OGNI_VERSION_MAJOR; }
unsigned get_version_minor() { return OGNI_VERSION_MINOR; }
unsigned get_version_patch() { return OGNI_VERSION_PATCH; }
char const* get_version() { return OGNI_VERSION; }

}  // namespace aws::lambda_runtime
