#include "service/runtime_api/state_machine.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "protocol/limits.h"

namespace ogni::service::runtime_api {
namespace {

using enum RuntimeState;

constexpr std::size_t kErrorTypeCharsMax = 128;

template <typename Enum>
constexpr std::size_t index(Enum value) {
  return static_cast<std::size_t>(std::to_underlying(value));
}

// What a call meets in a state.
struct Cell {
  enum class Rule : std::uint8_t {
    kMove,          // allowed; the state becomes `to`
    kForbidden,     // 403
    kNoInvocation,  // 400: no id can be the right one
  };
  Rule rule = Rule::kForbidden;
  RuntimeState to = kStarted;
};

constexpr Cell to(RuntimeState state) { return {.rule = Cell::Rule::kMove, .to = state}; }
constexpr Cell k403{.rule = Cell::Rule::kForbidden};
constexpr Cell k400{.rule = Cell::Rule::kNoInvocation};

// clang-format off
constexpr std::array<std::array<Cell, kRuntimeCalls>, kRuntimeStates> kTable{{
    //                            next         response                 error                         init/error         restore/next       restore/error
    /* Started              */ {{ to(kReady),   k403,                    k403,                         to(kInitError),    to(kRestoreReady), k403 }},
    /* InitError            */ {{ k403,         k403,                    k403,                         k403,              k403,              k403 }},
    /* Ready                */ {{ to(kReady),   k400,                    k400,                         k403,              k403,              k403 }},
    /* Running              */ {{ to(kRunning), to(kInvocationResponse), to(kInvocationErrorResponse), k403,              k403,              k403 }},
    /* InvocationResponse   */ {{ k403,         k403,                    k403,                         k403,              k403,              k403 }},
    /* InvocationError…     */ {{ k403,         k403,                    k403,                         k403,              k403,              k403 }},
    /* ResponseSent         */ {{ to(kReady),   k403,                    k403,                         k403,              k403,              k403 }},
    /* RestoreReady         */ {{ k403,         k400,                    k400,                         k403,              k403,              k403 }},
    /* Restoring            */ {{ to(kReady),   k400,                    k400,                         to(kRestoreError), k403,              to(kRestoreError) }},
    /* RestoreError         */ {{ k403,         k400,                    k400,                         k403,              k403,              k403 }},
}};
// clang-format on

// The state that each call is for, named when it is refused.
constexpr std::array<RuntimeState, kRuntimeCalls> kAimOf{kReady,     kInvocationResponse, kInvocationErrorResponse,
                                                         kInitError, kRestoreReady,       kRestoreError};

constexpr const Cell& cell(RuntimeState state, RuntimeCall call) { return kTable[index(state)][index(call)]; }

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::string_view name_of(RuntimeState state) {
  static constexpr std::array<std::string_view, kRuntimeStates> kNames{"Started",
                                                                       "InitError",
                                                                       "Ready",
                                                                       "Running",
                                                                       "InvocationResponse",
                                                                       "InvocationErrorResponse",
                                                                       "RuntimeResponseSentState",
                                                                       "RestoreReady",
                                                                       "Restoring",
                                                                       "RuntimeRestoreErrorState"};
  return kNames[index(state)];
}

std::string ApiError::body() const {
  std::string text = R"({"errorMessage":")";
  text += message;
  text += R"(","errorType":")";
  text += error_type;
  text += "\"}\n";
  return text;
}

ApiError invalid_request_id() {
  return {.http_status = 400, .error_type = "InvalidRequestID", .message = "Invalid request ID"};
}

ApiError invalid_response_mode() {
  return {.http_status = 400, .error_type = "InvalidFunctionResponseMode", .message = "Invalid function response mode"};
}

ApiError truncated_request() {
  return {.http_status = 400, .error_type = "TruncatedHTTPRequest", .message = "HTTP request detected as truncated"};
}

ApiError invocation_is_over() {
  return {.http_status = 410, .error_type = "InvokeTimeout", .message = "Invoke timeout"};
}

ApiError request_too_large() {
  return {.http_status = 413,
          .error_type = "RequestEntityTooLarge",
          .message = "Exceeded maximum allowed payload size (" + std::to_string(protocol::limits::kPayloadBytesMax) +
                     " bytes)."};
}

ApiError internal_error() {
  return {.http_status = 500, .error_type = "InternalServerError", .message = "Internal Server Error"};
}

std::string scrub_error_type(std::string_view error_type) {
  constexpr std::string_view kRuntime = "Runtime.";
  constexpr std::string_view kFunction = "Function.";
  const bool of_function = error_type.starts_with(kFunction);
  if (of_function || error_type.starts_with(kRuntime)) {
    const std::string_view reason = error_type.substr((of_function ? kFunction : kRuntime).size());
    const bool is_clean = reason.size() >= 2 && reason.size() <= kErrorTypeCharsMax && reason[0] >= 'A' &&
                          reason[0] <= 'Z' && std::ranges::all_of(reason, is_letter);
    if (is_clean) return std::string(error_type);
  }
  return of_function ? "Function.Unknown" : "Runtime.Unknown";
}

bool RuntimeStateMachine::has_invocation() const {
  return state_ == kRunning || state_ == kInvocationResponse || state_ == kInvocationErrorResponse ||
         state_ == kResponseSent;
}

void RuntimeStateMachine::deliver() {
  assert(state_ == kReady);
  state_ = kRunning;
}

void RuntimeStateMachine::restore() {
  assert(state_ == kRestoreReady);
  state_ = kRestoring;
}

ApiError RuntimeStateMachine::refusal(RuntimeCall call) const {
  std::string message = "State transition from ";
  message += name_of(state_);
  message += " to ";
  message += name_of(kAimOf[index(call)]);
  message += " failed for runtime. Error: State transition is not allowed";
  return {.http_status = 403, .error_type = "InvalidStateTransition", .message = std::move(message)};
}

std::optional<ApiError> RuntimeStateMachine::move(RuntimeCall call) {
  const Cell& met = cell(state_, call);
  if (met.rule == Cell::Rule::kNoInvocation) return invalid_request_id();
  if (met.rule == Cell::Rule::kForbidden) return refusal(call);
  state_ = met.to;
  return std::nullopt;
}

std::expected<NextOutcome, ApiError> RuntimeStateMachine::next() {
  const RuntimeState before = state_;
  if (auto refused = move(RuntimeCall::kNext)) return std::unexpected(std::move(*refused));
  if (before == kRunning) return NextOutcome::kRedeliver;
  return before == kReady ? NextOutcome::kWaitMore : NextOutcome::kReady;
}

RuntimeStateMachine::Allowed RuntimeStateMachine::begin_answer(RuntimeCall call, bool id_is_current) {
  if (!id_is_current) return std::unexpected(invalid_request_id());
  if (auto refused = move(call)) return std::unexpected(std::move(*refused));
  return {};
}

RuntimeStateMachine::Allowed RuntimeStateMachine::begin_response(bool id_is_current, std::string_view response_mode) {
  if (auto begun = begin_answer(RuntimeCall::kResponse, id_is_current); !begun) return begun;
  if (response_mode.empty() || response_mode == "streaming") return {};
  state_ = kResponseSent;
  return std::unexpected(invalid_response_mode());
}

RuntimeStateMachine::Allowed RuntimeStateMachine::begin_error(bool id_is_current) {
  return begin_answer(RuntimeCall::kError, id_is_current);
}

void RuntimeStateMachine::finish_answer() {
  if (state_ == kInvocationResponse || state_ == kInvocationErrorResponse) state_ = kResponseSent;
}

std::optional<ApiError> RuntimeStateMachine::init_error() { return move(RuntimeCall::kInitError); }

std::optional<ApiError> RuntimeStateMachine::restore_next() { return move(RuntimeCall::kRestoreNext); }

std::optional<ApiError> RuntimeStateMachine::restore_error() { return move(RuntimeCall::kRestoreError); }

}  // namespace ogni::service::runtime_api
