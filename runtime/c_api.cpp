// The C ABI over Client: checks of arguments and of order, and NUL-terminated text.
#include <cstdlib>
#include <new>

#include "ogni/runtime.h"
#include "protocol/runtime_api.h"
#include "runtime/client.h"
#include "runtime/log.h"
#include "runtime/prelude.h"
#include "runtime/report.h"
#include "runtime/sigterm.h"
#include "runtime/trace_variable.h"
#include "runtime/xray_cause.h"

using ogni::runtime::Buffer;
using ogni::runtime::Client;
namespace variable = ogni::protocol::variable;

struct ogni_runtime {
  ogni_runtime(const ogni::runtime::Endpoint& endpoint, std::string_view user_agent, bool sets_trace)
      : client(endpoint, user_agent), sets_trace_variable(sets_trace) {}

  Client client;
  Client* self = &client;  // as what SIGTERM interrupts
  ogni::runtime::TraceVariable trace;
  Buffer json;  // of the last error or prelude
  Buffer cause;
  bool sets_trace_variable;
  bool has_invocation = false;  // one that is not answered
  bool streams = false;
};

namespace {

constexpr int kConcurrencyMax = 10'000;

std::string_view text_of(const char* text) { return text == nullptr ? std::string_view() : std::string_view(text); }

// A NUL follows every text of the runtime.
const char* c_text(std::string_view text) {
  return text.data() == nullptr ? "" : text.data();  // NOLINT(bugprone-suspicious-stringview-data-usage)
}

int status_of(Client::Answer answer) {
  return answer == Client::Answer::kAccepted ? OGNI_OK : answer == Client::Answer::kRefused ? OGNI_REFUSED : OGNI_FATAL;
}

// Takes the invocation that is to be answered. False: there is none, or it is being streamed.
bool take_invocation(ogni_runtime* runtime) {
  if (runtime == nullptr || !runtime->has_invocation || runtime->streams) return false;
  runtime->has_invocation = false;
  return true;
}

bool is_json_given(const char* type, const char* json, size_t bytes) {
  return type != nullptr && json != nullptr && bytes > 0;
}

bool write_error(ogni_runtime* runtime, const char* type, const char* message, const char* stack_trace) {
  runtime->json.clear();
  ogni::runtime::append_error_json(runtime->json, text_of(type), text_of(message), text_of(stack_trace));
  return runtime->json.ok();
}

// For X-Ray. Empty where there is no memory for it: it is not worth an answer.
std::string_view cause_of(ogni_runtime* runtime, const char* type, const char* message, const char* stack_trace) {
  ogni::runtime::XrayCause cause(runtime->cause);
  cause.exception(text_of(type), text_of(message));
  cause.frames(text_of(stack_trace));
  return cause.end();
}

// As cause_of(), where the invocation is traced.
std::string_view traced_cause_of(ogni_runtime* runtime, const char* type, const char* message,
                                 const char* stack_trace) {
  return runtime->client.is_traced() ? cause_of(runtime, type, message, stack_trace) : std::string_view();
}

bool is_error_too_long(const ogni_runtime* runtime, std::size_t bytes) {
  return runtime->client.is_stream_sent() && bytes > Client::kTrailerErrorBytesMax;
}

bool shorten_error(ogni_runtime* runtime, const char* type, const char* message) {
  runtime->json.clear();
  ogni::runtime::append_short_error_json(runtime->json, type, text_of(message), Client::kTrailerErrorBytesMax);
  return runtime->json.ok();
}

// Between invocations only: on the one connection there is nothing else under way.
bool can_report(const ogni_runtime* runtime) {
  return runtime != nullptr && !runtime->has_invocation && !runtime->streams;
}

int begin_stream(ogni_runtime* runtime, Client::Answer begun) {
  runtime->streams = begun == Client::Answer::kAccepted;
  return status_of(begun);
}

int end_stream(ogni_runtime* runtime, Client::Answer ended) {
  runtime->streams = false;
  runtime->has_invocation = false;
  return status_of(ended);
}

}  // namespace

extern "C" {

const char* ogni_version(void) { return OGNI_VERSION; }

ogni_runtime* ogni_open(const char* address, const char* user_agent) {
  const auto endpoint = ogni::runtime::parse_endpoint(
      address == nullptr ? ogni::runtime::variable_text(variable::kRuntimeApi) : std::string_view(address));
  if (!endpoint) {
    ogni::runtime::log_line("AWS_LAMBDA_RUNTIME_API is not an address; this program is started by AWS Lambda or Ogni");
    return nullptr;
  }
  void* memory = std::malloc(sizeof(ogni_runtime));
  if (memory == nullptr) return nullptr;
  return new (memory) ogni_runtime(*endpoint, user_agent == nullptr ? "ogni-runtime/" OGNI_VERSION : user_agent,
                                   ogni_max_concurrency() == 1);
}

void ogni_close(ogni_runtime* runtime) {
  if (runtime == nullptr) return;
  ogni::runtime::release_sigterm(&runtime->self);
  runtime->~ogni_runtime();
  std::free(runtime);
}

int ogni_max_concurrency(void) {
  const std::int64_t number =
      ogni::runtime::parse_decimal(ogni::runtime::variable_text(variable::kMaxConcurrency), kConcurrencyMax);
  return number > 1 ? static_cast<int>(number) : 1;
}

int ogni_next(ogni_runtime* runtime) {
  if (runtime == nullptr || runtime->streams) return OGNI_BAD_ARGUMENT;
  runtime->has_invocation = false;
  if (!runtime->client.next()) return runtime->client.is_interrupted() ? OGNI_INTERRUPTED : OGNI_FATAL;
  runtime->has_invocation = true;
  if (runtime->sets_trace_variable) runtime->trace.set(runtime->client.invocation().trace_id);
  return OGNI_OK;
}

const char* ogni_event(const ogni_runtime* runtime, size_t* bytes) {
  const std::string_view event = runtime == nullptr ? std::string_view() : runtime->client.invocation().event;
  if (bytes != nullptr) *bytes = event.size();
  return c_text(event);
}

int ogni_respond(ogni_runtime* runtime, const char* body, size_t bytes, const char* content_type) {
  if ((body == nullptr && bytes > 0) || !take_invocation(runtime)) return OGNI_BAD_ARGUMENT;
  const std::string_view type = text_of(content_type);
  return status_of(runtime->client.respond({body, bytes}, type.empty() ? "application/json" : type));
}

int ogni_fail(ogni_runtime* runtime, const char* type, const char* message, const char* stack_trace) {
  if (type == nullptr || !take_invocation(runtime)) return OGNI_BAD_ARGUMENT;
  if (!write_error(runtime, type, message, stack_trace)) return OGNI_FATAL;
  return status_of(runtime->client.fail(ogni::runtime::platform_type(type), runtime->json.view(),
                                        traced_cause_of(runtime, type, message, stack_trace)));
}

int ogni_fail_json(ogni_runtime* runtime, const char* type, const char* json, size_t bytes) {
  if (!is_json_given(type, json, bytes) || !take_invocation(runtime)) return OGNI_BAD_ARGUMENT;
  return status_of(runtime->client.fail(ogni::runtime::platform_type(type), {json, bytes}));
}

const char* ogni_text(const ogni_runtime* runtime, int which, size_t* bytes) {
  std::string_view text;
  if (runtime != nullptr) {
    const ogni::runtime::Invocation& invocation = runtime->client.invocation();
    switch (which) {
      case OGNI_REQUEST_ID:
        text = invocation.request_id;
        break;
      case OGNI_INVOKED_FUNCTION_ARN:
        text = invocation.invoked_function_arn;
        break;
      case OGNI_TRACE_ID:
        text = invocation.trace_id;
        break;
      case OGNI_CLIENT_CONTEXT:
        text = invocation.client_context;
        break;
      case OGNI_COGNITO_IDENTITY:
        text = invocation.cognito_identity;
        break;
      case OGNI_TENANT_ID:
        text = invocation.tenant_id;
        break;
      case OGNI_CONTENT_TYPE:
        text = invocation.content_type;
        break;
      case OGNI_FUNCTION_NAME:
        text = ogni::runtime::variable_text(variable::kFunctionName);
        break;
      case OGNI_FUNCTION_VERSION:
        text = ogni::runtime::variable_text(variable::kFunctionVersion);
        break;
      case OGNI_LOG_GROUP:
        text = ogni::runtime::variable_text(variable::kLogGroup);
        break;
      case OGNI_LOG_STREAM:
        text = ogni::runtime::variable_text(variable::kLogStream);
        break;
      default:
        break;
    }
  }
  if (bytes != nullptr) *bytes = text.size();
  return c_text(text);
}

const char* ogni_request_id(const ogni_runtime* runtime) { return ogni_text(runtime, OGNI_REQUEST_ID, nullptr); }
const char* ogni_invoked_function_arn(const ogni_runtime* runtime) {
  return ogni_text(runtime, OGNI_INVOKED_FUNCTION_ARN, nullptr);
}
const char* ogni_trace_id(const ogni_runtime* runtime) { return ogni_text(runtime, OGNI_TRACE_ID, nullptr); }
const char* ogni_client_context(const ogni_runtime* runtime) {
  return ogni_text(runtime, OGNI_CLIENT_CONTEXT, nullptr);
}
const char* ogni_cognito_identity(const ogni_runtime* runtime) {
  return ogni_text(runtime, OGNI_COGNITO_IDENTITY, nullptr);
}
const char* ogni_tenant_id(const ogni_runtime* runtime) { return ogni_text(runtime, OGNI_TENANT_ID, nullptr); }
const char* ogni_content_type(const ogni_runtime* runtime) { return ogni_text(runtime, OGNI_CONTENT_TYPE, nullptr); }
const char* ogni_function_name(const ogni_runtime* runtime) { return ogni_text(runtime, OGNI_FUNCTION_NAME, nullptr); }
const char* ogni_function_version(const ogni_runtime* runtime) {
  return ogni_text(runtime, OGNI_FUNCTION_VERSION, nullptr);
}
const char* ogni_log_group(const ogni_runtime* runtime) { return ogni_text(runtime, OGNI_LOG_GROUP, nullptr); }
const char* ogni_log_stream(const ogni_runtime* runtime) { return ogni_text(runtime, OGNI_LOG_STREAM, nullptr); }

int ogni_memory_mb(const ogni_runtime*) {
  const std::int64_t number =
      ogni::runtime::parse_decimal(ogni::runtime::variable_text(variable::kFunctionMemorySize), INT32_MAX);
  return number < 0 ? 0 : static_cast<int>(number);
}

int64_t ogni_deadline_ms(const ogni_runtime* runtime) {
  return runtime == nullptr ? 0 : runtime->client.invocation().deadline_ms;
}

int64_t ogni_remaining_ms(const ogni_runtime* runtime) {
  const std::int64_t left = ogni_deadline_ms(runtime) - ogni::runtime::now_ms();
  return left < 0 ? 0 : left;
}

int ogni_stream_begin(ogni_runtime* runtime, const char* content_type) {
  if (runtime == nullptr || !runtime->has_invocation || runtime->streams) return OGNI_BAD_ARGUMENT;
  return begin_stream(runtime, runtime->client.stream_begin(text_of(content_type)));
}

int ogni_stream_begin_http(ogni_runtime* runtime, int status, const char* headers, const char* cookies) {
  if (runtime == nullptr || !runtime->has_invocation || runtime->streams) return OGNI_BAD_ARGUMENT;
  runtime->json.clear();
  if (!ogni::runtime::append_prelude_json(runtime->json, status, text_of(headers), text_of(cookies))) {
    return OGNI_BAD_ARGUMENT;
  }
  if (!runtime->json.ok()) return OGNI_FATAL;
  return begin_stream(runtime, runtime->client.stream_begin_http(runtime->json.view()));
}

int ogni_stream_begin_prelude(ogni_runtime* runtime, const char* json, size_t bytes) {
  if (runtime == nullptr || !runtime->has_invocation || runtime->streams) return OGNI_BAD_ARGUMENT;
  if (json == nullptr || std::string_view(json, bytes).find('{') == std::string_view::npos ||
      std::string_view(json, bytes).find('\0') != std::string_view::npos) {
    return OGNI_BAD_ARGUMENT;
  }
  return begin_stream(runtime, runtime->client.stream_begin_http({json, bytes}));
}

int ogni_stream_write(ogni_runtime* runtime, const char* data, size_t bytes) {
  if (runtime == nullptr || !runtime->streams || (data == nullptr && bytes > 0)) return OGNI_BAD_ARGUMENT;
  return runtime->client.stream_write({data, bytes}) ? OGNI_OK : OGNI_REFUSED;
}

int ogni_stream_end(ogni_runtime* runtime) {
  if (runtime == nullptr || !runtime->streams) return OGNI_BAD_ARGUMENT;
  return end_stream(runtime, runtime->client.stream_end());
}

int ogni_stream_fail(ogni_runtime* runtime, const char* type, const char* message, const char* stack_trace) {
  if (runtime == nullptr || !runtime->streams || type == nullptr) return OGNI_BAD_ARGUMENT;
  if (!write_error(runtime, type, message, stack_trace)) return OGNI_FATAL;
  if (is_error_too_long(runtime, runtime->json.size()) && !shorten_error(runtime, type, message)) return OGNI_FATAL;
  return end_stream(runtime, runtime->client.stream_fail(ogni::runtime::platform_type(type), runtime->json.view(),
                                                         traced_cause_of(runtime, type, message, stack_trace)));
}

int ogni_stream_fail_json(ogni_runtime* runtime, const char* type, const char* json, size_t bytes) {
  if (runtime == nullptr || !runtime->streams || !is_json_given(type, json, bytes)) return OGNI_BAD_ARGUMENT;
  std::string_view error(json, bytes);
  if (is_error_too_long(runtime, bytes)) {
    if (!shorten_error(runtime, type, "the error is too long to follow a stream")) return OGNI_FATAL;
    error = runtime->json.view();
  }
  return end_stream(runtime, runtime->client.stream_fail(ogni::runtime::platform_type(type), error));
}

int ogni_init_error(ogni_runtime* runtime, const char* type, const char* message, const char* stack_trace) {
  if (!can_report(runtime) || type == nullptr) return OGNI_BAD_ARGUMENT;
  if (!write_error(runtime, type, message, stack_trace)) return OGNI_FATAL;
  return status_of(runtime->client.init_error(ogni::runtime::platform_type(type), runtime->json.view(),
                                              cause_of(runtime, type, message, stack_trace)));
}

int ogni_init_error_json(ogni_runtime* runtime, const char* type, const char* json, size_t bytes) {
  if (!can_report(runtime) || !is_json_given(type, json, bytes)) return OGNI_BAD_ARGUMENT;
  return status_of(runtime->client.init_error(ogni::runtime::platform_type(type), {json, bytes}));
}

int ogni_is_snapshot(void) {
  return ogni::runtime::variable_text(variable::kInitializationType) == "snap-start" ? 1 : 0;
}

int ogni_restore_next(ogni_runtime* runtime) {
  if (runtime == nullptr || runtime->streams) return OGNI_BAD_ARGUMENT;
  if (ogni_is_snapshot() == 0) return OGNI_OK;
  runtime->has_invocation = false;
  const Client::Answer answer = runtime->client.restore_next();
  if (answer == Client::Answer::kFatal && runtime->client.is_interrupted()) return OGNI_INTERRUPTED;
  return status_of(answer);
}

int ogni_restore_error(ogni_runtime* runtime, const char* type, const char* message, const char* stack_trace) {
  if (!can_report(runtime) || type == nullptr) return OGNI_BAD_ARGUMENT;
  if (!write_error(runtime, type, message, stack_trace)) return OGNI_FATAL;
  return status_of(runtime->client.restore_error(ogni::runtime::platform_type(type), runtime->json.view()));
}

void ogni_interrupt(ogni_runtime* runtime) {
  if (runtime != nullptr) runtime->client.interrupt();
}

int ogni_catch_sigterm(ogni_runtime* runtime) {
  if (runtime == nullptr) return OGNI_BAD_ARGUMENT;
  return ogni::runtime::catch_sigterm(&runtime->self, 1) ? OGNI_OK : OGNI_FATAL;
}

void ogni_log(const ogni_runtime* runtime, int level, const char* message, size_t bytes) {
  if (message == nullptr && bytes > 0) return;
  const std::string_view request_id = runtime == nullptr ? std::string_view() : runtime->client.invocation().request_id;
  const int known = level < OGNI_LOG_TRACE ? OGNI_LOG_TRACE : level > OGNI_LOG_FATAL ? OGNI_LOG_FATAL : level;
  ogni::runtime::write_log(ogni::runtime::process_log_settings(), static_cast<ogni::runtime::LogLevel>(known),
                           {message, bytes}, request_id, {});
}

}  // extern "C"
