// The Runtime API's client: one keep-alive connection, one invocation at a time.
//
// A warm invocation costs four system calls (send, receive, send, receive) and allocates nothing: heads are
// written to and parsed in buffers that are kept, the event is received straight into its final place, the
// response leaves together with its head in one call and is not copied.
//
// A lost connection is made again with a bounded back-off and the request is repeated: /next then gives the
// same event again, and an answer that had arrived is refused, which is harmless. next() waits without limit,
// since the platform may freeze the process for hours; every other wait is bounded. Not thread-safe. One line
// on stderr for what went wrong. Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/endpoint.h"
#include "runtime/http_parser.h"

namespace ogni::runtime {

// One event and what came with it. Everything is valid until the next call of next(). Empty where absent.
struct Invocation {
  std::string_view request_id;
  std::string_view invoked_function_arn;
  std::string_view trace_id;
  std::string_view client_context;    // JSON
  std::string_view cognito_identity;  // JSON
  std::string_view tenant_id;
  std::string_view invocation_id;  // names this delivery; echoed with the answer
  std::string_view content_type;
  std::string_view event;
  std::int64_t deadline_ms = 0;  // Unix time; 0 where absent
};

class Client {
 public:
  // Largest event taken: far above AWS's 6 MiB, for services with raised limits.
  static constexpr std::size_t kEventBytesMax = 256 * 1024 * 1024;
  static constexpr std::size_t kAnswerBytesMax = 64 * 1024;

  enum class Answer {
    kAccepted,
    kRefused,  // logged; go on with next(): 4xx, among them an answer that is too large or too late
    kFatal,    // the process shall end, non-zero: the platform failed (5xx) or is gone
  };

  Client(Endpoint endpoint, std::string_view user_agent);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Waits for the next event. False: the process shall end, non-zero.
  [[nodiscard]] bool next();
  const Invocation& invocation() const { return invocation_; }

  // Answers the current invocation. `body` may point into the event.
  [[nodiscard]] Answer respond(std::string_view body, std::string_view content_type);
  // `body` is the JSON that the caller gets; `type` ("Runtime.ExitError") is for the platform.
  [[nodiscard]] Answer fail(std::string_view type, std::string_view body);
  // Before the first next(): initialisation failed. The process shall end afterwards.
  [[nodiscard]] Answer init_error(std::string_view type, std::string_view body);

 private:
  enum class Wait { kForever, kBounded };

  Answer answer(std::string_view what, std::string_view type_field, std::string_view type, std::string_view body);
  Answer post(std::string_view what, std::string_view body);
  bool exchange(std::string_view head, std::string_view body, ResponseParser& parser, Wait wait);
  bool connect();
  void disconnect();
  bool send(std::string_view head, std::string_view body);
  bool receive(ResponseParser& parser, Wait wait);
  bool take_invocation();

  Endpoint endpoint_;
  std::string user_agent_;
  std::string target_;
  std::string next_head_;  // the poll, always the same
  std::string head_;       // of the last answer
  ResponseParser events_;
  ResponseParser answers_;  // apart from events_, so that the event outlives the answer
  Invocation invocation_;
  int socket_ = -1;
};

}  // namespace ogni::runtime
