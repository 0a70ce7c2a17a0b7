#include "base/digest.h"
#include "base/text.h"
#include "protocol/limits.h"
#include "service/api/api.h"
#include "service/api/payload.h"
#include "service/api/shapes.h"
#include "service/api/trace.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;
namespace limits = protocol::limits;

struct Wish {
  bool dry_run = false;
  bool log_tail = false;
  std::string client_context;  // decoded
};

// JSON that fits one header line: line breaks can only stand between its tokens.
std::string on_one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  return text;
}

ApiResult<std::string> decode_client_context(std::string_view base64) {
  if (base64.empty()) return std::string();
  if (base64.size() > limits::kClientContextBytesMax) {
    return refuse(ErrorType::kInvalidRequestContent,
                  "Client context must be no more than " + std::to_string(limits::kClientContextBytesMax) + " bytes.");
  }
  auto decoded = from_base64(base64);
  if (!decoded || !check_payload(*decoded)) {
    return refuse(ErrorType::kInvalidRequestContent, "Client context must be a valid Base64-encoded JSON object.");
  }
  return on_one_line(std::move(*decoded));
}

ApiResult<Wish> read_headers(const http::Request& request) {
  Wish wish;
  if (const auto type = request.find_header("X-Amz-Invocation-Type"); type && *type != "RequestResponse") {
    if (auto checked = validate_text(*type, shapes::kInvocationType, "invocationType"); !checked) {
      return refuse(std::move(checked.error()));
    }
    if (*type == "Event") {
      return refuse(ErrorType::kNotImplemented, "Invoke with InvocationType Event is not implemented by Ogni yet.");
    }
    wish.dry_run = true;
  }
  if (const auto type = request.find_header("X-Amz-Log-Type")) {
    if (auto checked = validate_text(*type, shapes::kLogType, "logType"); !checked) {
      return refuse(std::move(checked.error()));
    }
    wish.log_tail = *type == "Tail";
  }
  for (const std::string_view name : {"X-Amz-Durable-Execution-Name", "X-Amz-Tenant-Id"}) {
    if (!request.header(name).empty()) {
      return refuse(ErrorType::kInvalidParameterValue,
                    std::string(name) + " is given, but the function has no such configuration.");
    }
  }
  auto context = decode_client_context(request.header("X-Amz-Client-Context"));
  if (!context) return refuse(std::move(context.error()));
  wish.client_context = std::move(*context);
  return wish;
}

ApiResult<void> check_refusal(const InvokeAnswer& answer) {
  switch (answer.refusal) {
    case InvokeRefusal::kNone:
      return {};
    case InvokeRefusal::kConcurrencyLimit:
      return refuse(ApiError{.type = ErrorType::kTooManyRequests,
                             .message = "Rate Exceeded.",
                             .reason = "ConcurrentInvocationLimitExceeded"});
    case InvokeRefusal::kStartLimit:
      return refuse(ApiError{.type = ErrorType::kTooManyRequests,
                             .message = "Rate Exceeded. No execution environment was ready in time.",
                             .reason = "ConcurrentInvocationLimitExceeded"});
    case InvokeRefusal::kServiceFailed:
      return refuse(ErrorType::kService, "The service could not run the function.");
    case InvokeRefusal::kNoRuntime:
      return refuse(ErrorType::kInvalidRuntime, answer.payload);
    case InvokeRefusal::kServiceUnavailable:
      return refuse(ErrorType::kServiceUnavailable, "The service is shutting down.");
  }
  return {};
}

}  // namespace

asio::awaitable<http::Response> Api::invoke(http::Request& request) {
  std::string request_id = make_uuid();
  Answer answered = co_await invoke(request, request_id);
  if (!answered) co_return to_response(answered.error(), request_id);
  co_return std::move(*answered);
}

asio::awaitable<Api::Answer> Api::invoke(http::Request& request, std::string& request_id) {
  const auto target = target_of(request);
  if (!target) co_return refuse(target.error());
  auto wish = read_headers(request);
  if (!wish) co_return refuse(std::move(wish.error()));
  if (!request.body.empty()) {
    if (auto checked = check_payload(request.body); !checked) co_return refuse(std::move(checked.error()));
  }

  // The warm path leaves this thread for nothing.
  FunctionPointer function;
  const Functions::Known* known = parts_.functions.cached(target->name);
  if (known != nullptr && (target->qualifier.empty() || target->qualifier == "$LATEST")) {
    function = known->invocable;
  } else {
    FunctionTarget wanted = *target;
    if (wanted.qualifier.empty()) wanted.qualifier = protocol::kLatest;  // as AWS names it when it is not there
    const auto found = co_await find_function(std::move(wanted));
    if (!found) co_return refuse(found.error());
    function = found->invocable;
  }
  if (!function) {
    co_return refuse(
        ErrorType::kResourceConflict,
        "The operation cannot be performed at this time. The function is currently in the following state: "
        "Pending");
  }
  if (wish->dry_run) {
    http::Response response(204);
    response.add_header("x-amzn-RequestId", request_id);
    co_return response;
  }

  std::string trace = continue_trace(request.header("X-Amzn-Trace-Id"), function->settings.tracing_mode == "Active");
  std::string trace_answer = trace_for_caller(trace);
  InvokeRequest call{.function = std::move(function),
                     .payload = request.body.empty() ? "{}" : std::move(request.body),
                     .request_id = request_id,
                     .invoked_arn = target->arn(settings_.home),
                     .client_context = std::move(wish->client_context),
                     .trace_header = std::move(trace),
                     .caller_is_gone = [&request] { return request.peer_is_gone(); },
                     .wants_log_tail = wish->log_tail};
  InvokeAnswer answer = co_await parts_.invoker.invoke(std::move(call));
  if (auto refused = check_refusal(answer); !refused) co_return refuse(std::move(refused.error()));

  http::Response response(200, "application/json", std::move(answer.payload));
  response.add_header("x-amzn-RequestId", request_id);
  response.add_header("X-Amz-Executed-Version", answer.executed_version);
  response.add_header("X-Amzn-Remapped-Content-Length", "0");
  response.add_header("X-Amzn-Trace-Id", answer.trace_header.empty() ? trace_answer : answer.trace_header);
  if (answer.function_error) response.add_header("X-Amz-Function-Error", "Unhandled");
  if (wish->log_tail) response.add_header("X-Amz-Log-Result", to_base64(answer.log_tail));
  co_return response;
}

}  // namespace ogni::service
