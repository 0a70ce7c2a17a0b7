// What the Runtime API's endpoint needs from the execution environment behind it. The endpoint speaks HTTP; the host
// decides. All calls run on the reactor thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "service/one_shot.h"
#include "service/runtime_api/state_machine.h"

namespace ogni::service {

// What /next answers. The payload is borrowed from `owner`.
struct NextEvent {
  std::string headers;  // "Name: value\r\n" lines
  std::string_view payload;
  std::shared_ptr<const void> owner;
};

// What a waiting poll gets: nothing when its connection or the environment has ended.
using NextOutcome = std::variant<std::monostate, NextEvent, runtime_api::ApiError>;
struct NextWaiter {
  OneShot<NextOutcome> outcome;
  bool abandoned = false;  // its connection is gone: an event must not be given to it
};

enum class AnswerKind { kResponse, kError };

// Request headers of an answer that mean something to the platform.
struct AnswerHead {
  AnswerKind kind = AnswerKind::kResponse;
  std::string_view request_id;     // from the path
  std::string_view invocation_id;  // the echoed nonce; empty if none
  std::string_view error_type;     // Lambda-Runtime-Function-Error-Type
  std::string_view response_mode;  // Lambda-Runtime-Function-Response-Mode
};

// What a streamed response that failed midway says behind its last chunk.
struct StreamFailure {
  std::string error_type;
  std::string error_body;  // as sent: base64 of the error's JSON
};

// All that came behind the head of an answer.
struct AnswerBody {
  std::string bytes;
  std::optional<StreamFailure> failure;
};

class RuntimeHost {
 public:
  virtual ~RuntimeHost() = default;

  // Sets `waiter` at once or later: to an event, to an error, or to nothing when the environment ends.
  virtual void next(const std::shared_ptr<NextWaiter>& waiter) = 0;
  // Called when the head of an answer has arrived, before its body. An error refuses the answer; the body is discarded.
  virtual std::optional<runtime_api::ApiError> begin_answer(const AnswerHead& head) = 0;
  // The whole body of the answer that begin_answer let pass.
  virtual void finish_answer(AnswerKind kind, AnswerBody body) = 0;
  // The body was larger than the limit: the caller gets an error, the runtime a 413.
  virtual void oversized_answer() = 0;
  // The connection ended, or what came was not HTTP, before the whole body was there.
  virtual void broken_answer() = 0;
  // Called when the head of an init error has arrived. An error refuses it; the body is discarded.
  virtual std::optional<runtime_api::ApiError> begin_init_error(std::string_view error_type) = 0;
  virtual void finish_init_error(std::string body) = 0;
};

}  // namespace ogni::service
