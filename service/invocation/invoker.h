// Carries one synchronous invocation to an environment and its answer back. The API calls this; nothing else does.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "catalogue/model.h"

namespace ogni::service {

struct InvokeRequest {
  std::shared_ptr<const catalogue::Function> function;
  std::string payload;  // valid JSON in UTF-8; "{}" stands for an empty body
  std::string request_id;
  std::string invoked_arn;     // as the caller addressed it: with the qualifier only if one was given
  std::string client_context;  // decoded; empty if none
  std::string trace_header;    // X-Amzn-Trace-Id as it came; empty if none
  std::function<bool()> caller_is_gone = nullptr;  // may be asked until the answer may leave; empty = never
  bool wants_log_tail = false;                     // hold the answer until the log of this invocation is complete
};

// How the service refused an invocation before any function code was responsible.
enum class InvokeRefusal {
  kNone,
  kConcurrencyLimit,   // 429 TooManyRequestsException, Reason ConcurrentInvocationLimitExceeded
  kStartLimit,         // 429, the same: no environment took it for too long
  kServiceFailed,      // 500 ServiceException
  kNoRuntime,          // 502 InvalidRuntimeException; the answer's payload says why
  kServiceUnavailable  // draining: 503 ServiceException
};

struct InvokeAnswer {
  InvokeRefusal refusal = InvokeRefusal::kNone;
  std::string payload;          // the function's bytes, or the failure's JSON
  bool function_error = false;  // X-Amz-Function-Error: Unhandled
  std::string executed_version = "$LATEST";
  std::string log_tail;      // last 4 KiB, not yet base64; only if asked for
  std::string trace_header;  // root=…;sampled=…
};

class Invoker {
 public:
  virtual ~Invoker() = default;
  // Runs on the reactor thread. Suspends until the answer may leave. An invocation that has begun goes on if the caller is
  // gone.
  virtual boost::asio::awaitable<InvokeAnswer> invoke(InvokeRequest request) = 0;
  // A function's code or settings were replaced (or it was deleted): environments of older generations of `instance`
  // finish what they do and end. Called on the reactor thread after the catalogue has committed.
  virtual void retire_older(std::uint64_t instance, std::uint64_t current_generation) = 0;
  virtual void retire_all(std::uint64_t instance) = 0;
};

}  // namespace ogni::service
