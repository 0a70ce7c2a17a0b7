// Functions that were written for aws-lambda-cpp compile with this header as they are, and run on Ogni's library:
// no libcurl, fewer system calls, a lost connection is made again, and an exception of the handler becomes a
// function error instead of the end of the process. The names are aws-lambda-cpp's; C++11.
//
// CMake: find_package(aws-lambda-runtime), target AWS::aws-lambda-runtime, aws_lambda_package_target(target).
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "aws/http/response.h"
#include "aws/lambda-runtime/outcome.h"

struct ogni_runtime;

namespace aws {
namespace lambda_runtime {

// What the function was invoked with. Empty where the platform said nothing.
struct invocation_request {
  std::string payload;  // usually JSON; any bytes
  std::string request_id;
  std::string xray_trace_id;  // also in _X_AMZN_TRACE_ID during the call
  std::string client_context;
  std::string cognito_identity;
  std::string function_arn;  // as the caller addressed it
  std::string content_type;
  std::chrono::time_point<std::chrono::system_clock> deadline;
  std::string tenant_id;

  // Until the platform ends the invocation; negative when that time has passed.
  std::chrono::milliseconds get_time_remaining() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::system_clock::now());
  }
};

// What the caller gets.
class invocation_response {
 public:
  // An empty content type means application/json. With `success` false, `payload` is the whole error as the caller
  // gets it, a JSON object with errorMessage, errorType and perhaps stackTrace.
  invocation_response(std::string const& payload, std::string const& content_type, bool success)
      : payload_(payload), content_type_(content_type), success_(success) {}

  static invocation_response success(std::string payload, std::string content_type);
  static invocation_response failure(std::string const& error_message, std::string const& error_type);

  std::string const& get_payload() const { return payload_; }
  std::string const& get_content_type() const { return content_type_; }
  bool is_success() const { return success_; }

 private:
  friend class runtime;

  std::string payload_;
  std::string content_type_;
  std::string error_type_;
  bool success_;
};

struct no_result {};

// The loop's two steps for those who write the loop themselves. One invocation at a time, one thread at a time.
class runtime {
 public:
  using next_outcome = outcome<invocation_request, aws::http::response_code>;
  using post_outcome = outcome<no_result, aws::http::response_code>;

  // `endpoint`: "http://host:port", or without the scheme.
  runtime(std::string const& endpoint);
  runtime(std::string const& endpoint, std::string const& user_agent);
  ~runtime();
  runtime(runtime const&) = delete;
  runtime& operator=(runtime const&) = delete;

  // Waits without limit. Fails with REQUEST_NOT_MADE when the platform cannot be reached.
  next_outcome get_next();
  // Each answers the invocation that get_next() gave last. They fail with BAD_REQUEST for another id and for what the
  // platform refuses (its reason is in the log), with FORBIDDEN for a second answer, and with REQUEST_NOT_MADE when the
  // platform has failed or is gone.
  post_outcome post_success(std::string const& request_id, invocation_response const& handler_response);
  post_outcome post_failure(std::string const& request_id, invocation_response const& handler_response);

 private:
  bool is_current(std::string const& request_id) const;

  ogni_runtime* runtime_;
};

// Serves invocations until the platform ends the process; returns when it cannot go on. An answer that the platform
// refuses is logged, and the next invocation is served.
void run_handler(std::function<invocation_response(invocation_request const&)> const& handler);

}  // namespace lambda_runtime
}  // namespace aws
