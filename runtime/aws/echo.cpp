// A function as it is written for aws-lambda-cpp.
#include <aws/lambda-runtime/runtime.h>
#include <aws/lambda-runtime/version.h>
#include <aws/logging/logging.h>

#include <stdexcept>
#include <string>

using namespace aws::lambda_runtime;

static char const TAG[] = "echo";

static invocation_response my_handler(invocation_request const& req) {
  if (req.payload.length() > 4096 * 1024) {
    return invocation_response::failure("error message here" /*error_message*/, "error type here" /*error_type*/);
  }
  aws::logging::log_info(TAG, "%zu bytes, version %s", req.payload.length(), get_version());
  if (req.payload == "\"context\"") {
    const bool in_time = req.get_time_remaining().count() > 0;
    return invocation_response::success("{\"id\":\"" + req.request_id + "\",\"arn\":\"" + req.function_arn +
                                            "\",\"inTime\":" + (in_time ? "true" : "false") + "}",
                                        "application/json");
  }
  if (req.payload == "\"custom\"") {
    return invocation_response("{\"errorMessage\":\"mine\",\"errorType\":\"Mine\",\"stackTrace\":[\"a\"]}",
                               "application/json", false);
  }
  if (req.payload == "\"throw\"") throw std::runtime_error("thrown");
  return invocation_response::success(req.payload, "application/json");
}

int main() {
  run_handler(my_handler);
  return 0;
}
