#include "ogni/runtime.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <typeinfo>

#include "protocol/runtime_api.h"
#include "runtime/client.h"
#include "runtime/json_text.h"
#include "runtime/report.h"
#include "runtime/trace_variable.h"

namespace ogni {
namespace {

using runtime::Client;
using runtime::platform_type;

constexpr std::string_view kUserAgent = "ogni-runtime/" OGNI_VERSION;

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

std::string demangled(const std::type_info* type) {
  if (type == nullptr) return "unknown";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(abi::__cxa_demangle(type->name(), nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 ? name.get() : type->name();
}

// Within a catch block only.
Response current_exception_as_failure() {
  const std::string type = demangled(abi::__cxa_current_exception_type());
  try {
    throw;
  } catch (const std::exception& exception) {
    return Response::failure(type, exception.what());
  } catch (const std::string& text) {
    return Response::failure(type, text);
  } catch (const char* text) {
    return Response::failure(type, text == nullptr ? "" : text);
  } catch (...) {
    return Response::failure(type, "the handler threw something that is not a std::exception");
  }
}

Context constant_context() {
  Context context;
  context.function_name = variable("AWS_LAMBDA_FUNCTION_NAME");
  context.function_version = variable("AWS_LAMBDA_FUNCTION_VERSION");
  context.log_group = variable("AWS_LAMBDA_LOG_GROUP_NAME");
  context.log_stream = variable("AWS_LAMBDA_LOG_STREAM_NAME");
  const std::string_view memory = variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
  std::from_chars(memory.data(), memory.data() + memory.size(), context.memory_mb);
  return context;
}

void describe(const runtime::Invocation& invocation, Context& context) {
  context.request_id = invocation.request_id;
  context.deadline = std::chrono::system_clock::time_point(std::chrono::milliseconds(invocation.deadline_ms));
  context.invoked_function_arn = invocation.invoked_function_arn;
  context.trace_id = invocation.trace_id;
  context.client_context = invocation.client_context;
  context.cognito_identity = invocation.cognito_identity;
  context.tenant_id = invocation.tenant_id;
}

Response call(const Handler& handler, const runtime::Invocation& invocation, const Context& context) {
  try {
    return handler(Event{invocation.event, invocation.content_type}, context);
  } catch (...) {
    return current_exception_as_failure();
  }
}

Client::Answer send(Client& client, const Response& response) {
  if (response.is_success()) return client.respond(response.body(), response.content_type());
  const std::string body = runtime::error_json(response.error_type(), response.error_message(), response.stack_trace());
  return client.fail(platform_type(response.error_type()), body);
}

std::optional<Handler> make(Client& client, const std::function<Handler()>& make_handler) {
  try {
    if (Handler handler = make_handler()) return handler;
    throw std::bad_function_call();
  } catch (...) {
    const Response failed = current_exception_as_failure();
    const std::string body = runtime::error_json(failed.error_type(), failed.error_message(), {});
    std::fprintf(stderr, "ogni: initialisation failed: %s: %s\n", failed.error_type().c_str(),
                 failed.error_message().c_str());
    // Whether it could be reported or not, this process ends.
    static_cast<void>(client.init_error(platform_type(failed.error_type()), body));
    return std::nullopt;
  }
}

}  // namespace

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

int run_with(const std::function<Handler()>& make_handler) {
  auto endpoint = runtime::parse_endpoint(variable(protocol::variable::kRuntimeApi));
  if (!endpoint) {
    std::fputs("ogni: AWS_LAMBDA_RUNTIME_API is not an address; this program is started by AWS Lambda or Ogni\n",
               stderr);
    return 1;
  }
  Client client(std::move(*endpoint), kUserAgent);
  const std::optional<Handler> handler = make(client, make_handler);
  if (!handler) return 1;

  Context context = constant_context();
  runtime::TraceVariable trace;
  while (client.next()) {
    describe(client.invocation(), context);
    trace.set(context.trace_id);
    if (send(client, call(*handler, client.invocation(), context)) == Client::Answer::kFatal) return 1;
  }
  return 1;
}

int run(Handler handler) {
  return run_with([&handler] { return std::move(handler); });
}

}  // namespace ogni
