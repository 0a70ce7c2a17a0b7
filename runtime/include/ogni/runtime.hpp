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
// Standard library only; C++20.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ogni {

// What the function was invoked with. Views are valid until the handler's response has been sent.
struct Event {
  std::string_view body;  // usually JSON; any bytes
  std::string_view content_type;
};

// About this invocation and its function. A plain value, so that a test can make one. Empty where the
// platform said nothing. Views are valid until the handler's response has been sent.
struct Context {
  std::string_view request_id;
  std::chrono::system_clock::time_point deadline;
  std::string_view invoked_function_arn;  // as the caller addressed it
  std::string_view trace_id;              // X-Ray; also in _X_AMZN_TRACE_ID during the call
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

// What the caller gets.
class Response {
 public:
  // An empty content type means application/json.
  static Response success(std::string body, std::string content_type = {});
  // As success(), but `body` is not copied: it may point into the event, or to what lives longer.
  static Response borrowed(std::string_view body, std::string content_type = {});
  // The caller sees a function error with these members. `type` is a name such as "Order.Invalid".
  static Response failure(std::string type, std::string message, std::vector<std::string> stack_trace = {});

  bool is_success() const { return success_; }
  std::string_view body() const { return owned_ ? std::string_view(text_) : borrowed_; }
  std::string_view content_type() const { return type_.empty() ? "application/json" : std::string_view(type_); }
  const std::string& error_type() const { return type_; }
  const std::string& error_message() const { return text_; }
  const std::vector<std::string>& stack_trace() const { return stack_trace_; }

 private:
  Response(bool success, bool owned, std::string type, std::string text)
      : success_(success), owned_(owned), type_(std::move(type)), text_(std::move(text)) {}

  bool success_;
  bool owned_;
  std::string type_;  // of the content, or of the error
  std::string text_;  // the body, or the message
  std::string_view borrowed_;
  std::vector<std::string> stack_trace_;
};

// Called for one invocation after the other, never at the same time. An exception becomes a function error
// with the exception's type and message; the process goes on.
using Handler = std::function<Response(const Event&, const Context&)>;

// Serves invocations until the platform ends the process. Returns an exit status when it cannot go on.
int run(Handler handler);

// As run(), with a handler made at initialisation. An exception of `make_handler` is reported as the failure
// of the initialisation, and the result is non-zero.
int run_with(const std::function<Handler()>& make_handler);

}  // namespace ogni
