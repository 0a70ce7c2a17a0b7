// The Runtime API's state machine of one execution environment (classic: one invocation at a time), as a
// table.
//
// Pure: no I/O, no clock. The endpoint asks before it acts; an allowed call has moved the state, a refused
// one has not. The order of checks is AWS's: the request id (400), then the state (403), then the response
// mode (400); the size of the body (413) comes later, by request_too_large(). Source: AWS's runtime interface
// emulator and the AWS Lambda Developer Guide, "Using the Lambda runtime API".
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace ogni::service::runtime_api {

enum class RuntimeState : std::uint8_t {
  kStarted,  // the program was started and has not polled
  kInitError,
  kReady,  // waits in next
  kRunning,
  kInvocationResponse,       // the body of a response is on its way
  kInvocationErrorResponse,  // the body of an error is on its way
  kResponseSent,             // answered, and not polled since
  kRestoreReady,             // waits in restore/next: the snapshot may be taken
  kRestoring,                // restore/next was answered; hooks run
  kRestoreError,
};
inline constexpr std::size_t kRuntimeStates = 10;

enum class RuntimeCall : std::uint8_t { kNext, kResponse, kError, kInitError, kRestoreNext, kRestoreError };
inline constexpr std::size_t kRuntimeCalls = 6;

// The state's name in AWS's messages.
std::string_view name_of(RuntimeState state);

// A refusal, as it goes to the runtime.
struct ApiError {
  int http_status = 500;
  std::string_view error_type;  // a literal
  std::string message;          // ours: nothing in it that JSON escapes

  // {"errorMessage":"…","errorType":"…"} and a newline; application/json.
  std::string body() const;

  bool operator==(const ApiError&) const = default;
};

ApiError invalid_request_id();     // 400
ApiError invalid_response_mode();  // 400
ApiError truncated_request();      // 400
ApiError invocation_is_over();     // 410: the echoed Lambda-Runtime-Invocation-Id is of another delivery
ApiError request_too_large();      // 413: the body is larger than limits::kPayloadBytesMax
ApiError internal_error();         // 500

// The body of a 202, application/json.
inline constexpr std::string_view kAcceptedBody = "{\"status\":\"OK\"}\n";

// The error type as logs and metrics may show it: itself if it reads "Runtime.Something" or
// "Function.Something", letters only and at most 128 of them, else Function.Unknown or Runtime.Unknown. The
// body's errorType is never changed.
std::string scrub_error_type(std::string_view error_type);

// What a poll that was let in gets.
enum class NextOutcome {
  kReady,      // the program is ready (and its invocation, if it had one, is over): tell the dispatcher, then
               // wait
  kWaitMore,   // a second poll of a program that waits already: one release wakes one waiter
  kRedeliver,  // the same event again, at once
};

class RuntimeStateMachine {
 public:
  using Allowed = std::expected<void, ApiError>;

  RuntimeState state() const { return state_; }
  // From deliver() until the poll that completes the invocation.
  bool has_invocation() const;

  // The program was started (again).
  void reset() { state_ = RuntimeState::kStarted; }
  // The event is handed to the waiting poll. Only in kReady.
  void deliver();
  // restore/next is answered. Only in kRestoreReady.
  void restore();

  [[nodiscard]] std::expected<NextOutcome, ApiError> next();

  // `id_is_current`: the id in the path is that of the invocation which the environment serves now; also true
  // while the program is started again inside that invocation. A response is allowed when its head is there;
  // finish_answer() follows when the body is read, or found too large. `response_mode` is the header's value,
  // empty if there is none; an unknown one is refused, but counts as the answer, so that no finish_answer()
  // follows.
  [[nodiscard]] Allowed begin_response(bool id_is_current, std::string_view response_mode);
  [[nodiscard]] Allowed begin_error(bool id_is_current);
  // Changes nothing if no answer is on its way: the program may have been started again meanwhile.
  void finish_answer();

  // Nothing if allowed. After a restore it counts as restore_error().
  [[nodiscard]] std::optional<ApiError> init_error();
  // Nothing if allowed: then the call waits for restore().
  [[nodiscard]] std::optional<ApiError> restore_next();
  [[nodiscard]] std::optional<ApiError> restore_error();

 private:
  Allowed begin_answer(RuntimeCall call, bool id_is_current);
  ApiError refusal(RuntimeCall call) const;
  std::optional<ApiError> move(RuntimeCall call);

  RuntimeState state_ = RuntimeState::kStarted;
};

}  // namespace ogni::service::runtime_api
