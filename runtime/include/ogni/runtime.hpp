// A custom runtime for AWS Lambda and Ogni in one call:
//
//   #include <ogni/runtime.hpp>
//
//   int main() {
//     return ogni::run([](const ogni::Event& event, const ogni::Context&) {
//       return ogni::Response::success("{\"bytes\":" + std::to_string(event.body.size()) + "}");
//     });
//   }
//
// Logging: ogni/log.hpp. Other languages: ogni/runtime.h. Standard library only; C++20.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ogni {

// What the function was invoked with. Views are valid until the handler's response has been sent.
struct Event {
  std::string_view body;  // usually JSON; any bytes
  std::string_view content_type;

  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(body)); }
  // Whether the content type says JSON, application/json or something+json, whatever its parameters.
  bool is_json() const;
};

// About this invocation and its function. A plain value, so that a test can make one. Empty where the
// platform said nothing. Views are valid until the handler's response has been sent.
struct Context {
  std::string_view request_id;
  std::chrono::system_clock::time_point deadline;
  std::string_view invoked_function_arn;  // as the caller addressed it
  std::string_view trace_id;              // X-Ray; also in _X_AMZN_TRACE_ID during the call, see Options::concurrent
  std::string_view client_context;        // JSON
  std::string_view cognito_identity;      // JSON
  std::string_view tenant_id;
  std::string_view function_name;
  std::string_view function_version;
  std::string_view log_group;
  std::string_view log_stream;
  int memory_mb = 0;

  // Until the platform ends the invocation; zero when that time has passed.
  std::chrono::milliseconds remaining_time() const;
};

// The trace id of the invocation that this thread is handling, empty outside of one. Safe where several invocations run at
// once, which the environment variable is not. Valid as Context's views are.
std::string_view current_trace_id();
// Its request id, likewise.
std::string_view current_request_id();

// What a streamed response begins with where the caller is to get an HTTP response (function URLs, API Gateway).
struct HttpHead {
  int status = 200;  // 100 to 999
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::vector<std::string> cookies = {};  // each as in Set-Cookie
};

// Where a streamed response goes. A test of a handler implements it by itself. Used by one thread at a time.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  // Before the first byte, else std::logic_error. Without one: application/octet-stream.
  virtual void content_type(std::string_view type) = 0;
  // Instead of content_type(). std::invalid_argument for a status, name or value that HTTP does not know.
  virtual void http(const HttpHead& head) = 0;
  // Sends `bytes` on their way, and waits while the caller reads more slowly than this writes. False: nobody takes more,
  // so the handler should return.
  virtual bool write(std::string_view bytes) = 0;
};

// What the caller gets.
class Response {
 public:
  using Producer = std::function<void(ResponseStream&)>;

  // An empty content type means application/json.
  static Response success(std::string body, std::string content_type = {});
  // As success(), but `body` is not copied: it may point into the event, or to what lives longer.
  static Response borrowed(std::string_view body, std::string content_type = {});
  // The caller sees a function error with these members. `type` is a name such as "Order.Invalid".
  static Response failure(std::string type, std::string message, std::vector<std::string> stack_trace = {});

  // `produce` is called once, after the handler has returned and before its event becomes invalid. An exception of it is
  // a function error: a plain one before the first byte, later one that follows the bytes.
  static Response streamed(Producer produce);
  // Of a failure: what led to it, as a member "cause" of the error. Returns *this.
  Response& caused_by(Response cause);
  // `what` lives as long as this response and its copies: what the body or the producer points into. Returns *this.
  Response& keep(std::shared_ptr<const void> what);

  bool is_success() const { return success_; }
  bool is_streamed() const { return static_cast<bool>(producer_); }
  std::string_view body() const { return owned_ ? std::string_view(text_) : borrowed_; }
  std::string_view content_type() const { return type_.empty() ? "application/json" : std::string_view(type_); }
  const std::string& error_type() const { return type_; }
  const std::string& error_message() const { return text_; }
  const std::vector<std::string>& stack_trace() const { return stack_trace_; }
  const Response* cause() const { return cause_.get(); }  // null where there is none
  void produce(ResponseStream& stream) const { producer_(stream); }

 private:
  Response(bool success, bool owned, std::string type, std::string text)
      : success_(success), owned_(owned), type_(std::move(type)), text_(std::move(text)) {}

  bool success_;
  bool owned_;
  std::string type_;  // of the content, or of the error
  std::string text_;  // the body, or the message
  std::string_view borrowed_;
  std::vector<std::string> stack_trace_;
  std::shared_ptr<const Response> cause_;
  std::shared_ptr<const void> kept_;  // outlives producer_
  Producer producer_;
};

// An exception becomes a function error with the exception's type and message, those nested in it as causes, and its stack
// where the program links ogni::stack_traces; the process goes on.
using Handler = std::function<Response(const Event&, const Context&)>;
// A handler that answers by writing; exceptions as Response::streamed says.
using StreamHandler = std::function<void(const Event&, const Context&, ResponseStream&)>;

struct Options {
  // The handler may be called by several threads at once. It is where the platform asks for that
  // (AWS_LAMBDA_MAX_CONCURRENCY), by so many threads; _X_AMZN_TRACE_ID is not set then. Otherwise, and by default, it is
  // called for one invocation after the other.
  bool concurrent = false;
  // Called before the process ends because the platform said so (SIGTERM), after running invocations have been answered.
  // `budget`: the time until the platform kills the process, at least. Without it SIGTERM ends the process at once.
  std::function<void(std::chrono::milliseconds budget)> on_shutdown = {};
  // SnapStart: before the snapshot of the initialised process is taken, and after it has been restored, perhaps on
  // another machine, hours later. Not called where no snapshot is taken. An exception fails the initialisation, or the
  // restored environment.
  std::function<void()> before_snapshot = {};
  std::function<void()> after_restore = {};
};

// Serves invocations until the platform ends the process. Returns the exit status: 0 after SIGTERM with on_shutdown, 64
// and 65 after a failed snapshot hook, else 1.
int run(Handler handler, const Options& options = {});
int run_streaming(StreamHandler handler, const Options& options = {});

// As run(), with a handler made at initialisation. An exception of `make_handler` is reported as the failure
// of the initialisation, and the result is non-zero.
int run_with(const std::function<Handler()>& make_handler, const Options& options = {});

}  // namespace ogni
