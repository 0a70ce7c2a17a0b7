// How a function's failure is told: the words, the error type, the JSON for the caller.
//
// Texts follow AWS's recorded answers; exit statuses are spelled as Go's os.ProcessState does, because AWS's supervisor
// is written in Go.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "sandbox/environment.h"

namespace ogni::service {

struct FunctionFailure {
  std::string error_type;  // "Runtime.ExitError"
  std::string message;     // without the "RequestId: … Error: " that the body and the log put before it
};

// `out_of_memory` makes it Runtime.OutOfMemory.
FunctionFailure failure_of_exit(int wait_status, bool out_of_memory);
// `candidates` are the paths that were looked for, as the function knows them (/var/task/bootstrap).
FunctionFailure failure_of_start(const sandbox::StartFailed& failed, std::string_view candidates);
// "Task timed out after 3.00 seconds": the configured time, not the measured one.
FunctionFailure failure_of_timeout(std::chrono::seconds timeout);
FunctionFailure failure_of_oversized_response();

// The body that the caller receives with X-Amz-Function-Error.
std::string failure_body(const FunctionFailure& failure, std::string_view request_id);
// The same for a streamed response that failed midway: what its trailer says in base64. A trailer that is no base64 says
// nothing, as on AWS.
std::string stream_failure_body(std::string_view trailer);
// The same for a response that was too large: AWS puts the members in another order and no request id.
std::string oversized_body(const FunctionFailure& failure);

}  // namespace ogni::service
