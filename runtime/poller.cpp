#include "runtime/poller.h"

#include <new>
#include <optional>
#include <stdexcept>
#include <string>

#include "protocol/runtime_api.h"
#include "runtime/failure.h"
#include "runtime/http_parser.h"
#include "runtime/prelude.h"
#include "runtime/report.h"

namespace ogni {
namespace {

thread_local const Context* current_context = nullptr;

// For as long as this thread handles an invocation.
class CurrentContext {
 public:
  explicit CurrentContext(const Context& context) { current_context = &context; }
  ~CurrentContext() { current_context = nullptr; }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;
};

}  // namespace

std::string_view current_trace_id() {
  return current_context == nullptr ? std::string_view() : current_context->trace_id;
}
std::string_view current_request_id() {
  return current_context == nullptr ? std::string_view() : current_context->request_id;
}

namespace runtime {
namespace {

namespace variable = protocol::variable;

Context constant_context() {
  Context context;
  context.function_name = variable_text(variable::kFunctionName);
  context.function_version = variable_text(variable::kFunctionVersion);
  context.log_group = variable_text(variable::kLogGroup);
  context.log_stream = variable_text(variable::kLogStream);
  const std::int64_t memory_mb = parse_decimal(variable_text(variable::kFunctionMemorySize), INT32_MAX);
  context.memory_mb = memory_mb < 0 ? 0 : static_cast<int>(memory_mb);
  return context;
}

void describe(const Invocation& invocation, Context& context) {
  context.request_id = invocation.request_id;
  context.deadline = std::chrono::system_clock::time_point(std::chrono::milliseconds(invocation.deadline_ms));
  context.invoked_function_arn = invocation.invoked_function_arn;
  context.trace_id = invocation.trace_id;
  context.client_context = invocation.client_context;
  context.cognito_identity = invocation.cognito_identity;
  context.tenant_id = invocation.tenant_id;
}

Response call(const Handler& handler, const Event& event, const Context& context) {
  try {
    return handler(event, context);
  } catch (...) {
    return current_exception_as_failure();
  }
}

// The author's bytes on their way to the platform. Begins with the first of them.
class ClientStream : public ResponseStream {
 public:
  explicit ClientStream(Client& client) : client_(client) {}

  void content_type(std::string_view type) override {
    refuse_if_begun();
    type_ = type;
  }
  void http(const HttpHead& head) override {
    refuse_if_begun();
    prelude_.clear();
    std::string headers;
    std::string cookies;
    for (const auto& [name, value] : head.headers) {
      if (!is_token(name)) throw std::invalid_argument("not the name of an HTTP header");
      append_line(headers, name + ": " + value);
    }
    for (const std::string& cookie : head.cookies) append_line(cookies, cookie);
    const bool fits = append_prelude_json(prelude_, head.status, headers, cookies);
    const bool has_memory = prelude_.ok();
    if (fits && has_memory) return;
    prelude_.clear();
    if (!has_memory) throw std::bad_alloc();
    throw std::invalid_argument("not the head of an HTTP response");
  }
  bool write(std::string_view bytes) override { return begin() && client_.stream_write(bytes); }

  Client::Answer end() { return begin() ? client_.stream_end() : Client::Answer::kFatal; }
  Client::Answer fail(const Response& failed) {
    const std::string_view type = platform_type(failed.error_type());
    const std::string json = failure_json(failed);
    if (!client_.is_stream_sent()) {
      Buffer cause;
      const std::string_view traced = client_.is_traced() ? failure_xray_cause(cause, failed) : std::string_view();
      return begun_ ? client_.stream_fail(type, json, traced) : client_.fail(type, json, traced);
    }
    if (json.size() <= Client::kTrailerErrorBytesMax) return client_.stream_fail(type, json);
    Buffer shorter;
    append_short_error_json(shorter, failed.error_type(), failed.error_message(), Client::kTrailerErrorBytesMax);
    return client_.stream_fail(type, shorter.view());
  }

 private:
  static void append_line(std::string& lines, const std::string& line) {
    if (line.find_first_of("\r\n") != std::string::npos)
      throw std::invalid_argument("a header with more than one line");
    lines.append(line).append("\n");
  }
  void refuse_if_begun() const {
    if (begun_) throw std::logic_error("the response has begun");
  }
  bool begin() {
    if (begun_) return true;
    begun_ = (prelude_.size() > 0 ? client_.stream_begin_http(prelude_.view()) : client_.stream_begin(type_)) ==
             Client::Answer::kAccepted;
    return begun_;
  }

  Client& client_;
  std::string type_;
  Buffer prelude_;
  bool begun_ = false;
};

}  // namespace

bool Poller::serve(const Handler& handler, SetsTraceVariable sets_trace_variable) {
  Context context = constant_context();
  std::optional<TraceVariable> trace;
  if (sets_trace_variable == SetsTraceVariable::kYes) trace.emplace();
  polls_along_ = sets_trace_variable == SetsTraceVariable::kYes;
  while (client_.next()) {
    describe(client_.invocation(), context);
    if (trace) trace->set(context.trace_id);
    const CurrentContext current(context);
    const Event event{client_.invocation().event, client_.invocation().content_type};  // lives as long as a stream
    if (answer(call(handler, event, context)) == Client::Answer::kFatal) return false;
  }
  return client_.is_interrupted();
}

Client::Answer Poller::answer(const Response& response) {
  if (response.is_streamed()) return stream(response);
  if (response.is_success()) {
    return polls_along_ ? client_.respond_and_poll(response.body(), response.content_type())
                        : client_.respond(response.body(), response.content_type());
  }
  const std::string_view type = platform_type(response.error_type());
  const std::string body = failure_json(response);
  Buffer cause;
  const std::string_view traced = client_.is_traced() ? failure_xray_cause(cause, response) : std::string_view();
  return polls_along_ ? client_.fail_and_poll(type, body, traced) : client_.fail(type, body, traced);
}

Client::Answer Poller::stream(const Response& response) {
  ClientStream stream(client_);
  try {
    response.produce(stream);
  } catch (...) {
    const Response failed = current_exception_as_failure();
    return stream.fail(failed);
  }
  return stream.end();
}

}  // namespace runtime
}  // namespace ogni
