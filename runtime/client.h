// The Runtime API's client: one keep-alive connection, one invocation at a time.
//
// A warm invocation costs four system calls (send, receive, send, receive) and allocates nothing: heads are
// written to and parsed in buffers that are kept, the event is received straight into its final place, the
// response leaves together with its head in one call and is not copied. Where the platform says that it takes it
// (protocol::header::kPipelining), the next poll may leave in that call too: two or three system calls then.
//
// A lost connection is made again with a bounded back-off and the request is repeated: /next then gives the
// same event again, and an answer that had arrived is refused, which is harmless. A stream cannot be repeated: it is
// given up. next() waits without limit, since the platform may freeze the process for hours; every other wait is
// bounded. Not thread-safe but for interrupt(). One line on stderr for what went wrong. No exceptions and no symbol of
// the C++ library: this is also what lies under the C ABI. Source: AWS Lambda Developer Guide, "Using the Lambda
// runtime API".
#pragma once

#include <cstdint>
#include <string_view>

#include "runtime/buffer.h"
#include "runtime/connection.h"
#include "runtime/endpoint.h"
#include "runtime/http_parser.h"
#include "runtime/interrupt.h"

namespace ogni::runtime {

// One event and what came with it. Everything is valid until the next call of next(). Empty where absent. A NUL follows
// each text that is not empty.
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
  // A type of an error that is longer is cut for the platform, which takes no head of any size.
  static constexpr std::size_t kErrorTypeBytesMax = 256;
  // Of an error that follows a stream: in base64, with its type, it fits into the 4 KiB of trailers that servers take.
  static constexpr std::size_t kTrailerErrorBytesMax = 2800;

  enum class Answer {
    kAccepted,
    kRefused,  // logged; go on with next(): 4xx, among them an answer that is too large or too late
    kFatal,    // the process shall end, non-zero: the platform failed (5xx) or is gone
  };

  Client(const Endpoint& endpoint, std::string_view user_agent);
  ~Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Waits for the next event. False: the process shall end, with 0 where is_interrupted(), else non-zero.
  // A stream that was not ended is cut off.
  [[nodiscard]] bool next();
  const Invocation& invocation() const { return invocation_; }

  // Answers the current invocation. `body` may point into the event. One that the platform finds too large (413) is
  // reported to it as an error, and refused.
  [[nodiscard]] Answer respond(std::string_view body, std::string_view content_type);
  // `body` is the JSON that the caller gets; `type` ("Runtime.ExitError") and `xray_cause` (see XrayCause, may be empty)
  // are for the platform.
  [[nodiscard]] Answer fail(std::string_view type, std::string_view body, std::string_view xray_cause = {});
  // Whether the invocation is traced, so that a failure should come with its cause.
  bool is_traced() const;
  // As respond() and fail(), for a caller that has nothing to do before next(), which has to follow: where the platform
  // takes it, the poll leaves together with the answer. The event stays valid until next() all the same.
  [[nodiscard]] Answer respond_and_poll(std::string_view body, std::string_view content_type);
  [[nodiscard]] Answer fail_and_poll(std::string_view type, std::string_view body, std::string_view xray_cause = {});
  // Before the first next(): initialisation failed. The process shall end afterwards.
  [[nodiscard]] Answer init_error(std::string_view type, std::string_view body, std::string_view xray_cause = {});

  // --- A streamed response: begin, writes, then end or fail ---

  // Nothing is sent before the first byte, so that a failure until then is a plain one. An empty content type means
  // application/octet-stream. kFatal without memory, else kAccepted.
  [[nodiscard]] Answer stream_begin(std::string_view content_type);
  // As stream_begin() for function URLs and API Gateway. `prelude` is a JSON object with statusCode, headers, cookies;
  // it leaves with the first byte.
  [[nodiscard]] Answer stream_begin_http(std::string_view prelude);
  // Sends `bytes` on their way, waiting while the platform reads more slowly than this writes. False: the platform
  // takes no more; stop, and call stream_end().
  [[nodiscard]] bool stream_write(std::string_view bytes);
  // The response is complete. kRefused also where it could not be delivered whole.
  [[nodiscard]] Answer stream_end();
  // Whether the first byte has left, so that an error would follow the stream in its trailers.
  bool is_stream_sent() const { return stream_ == Stream::kSending || stream_ == Stream::kBroken; }
  // The invocation failed: as fail() before the first byte; later the caller gets the bytes so far and this error, whose
  // JSON has kTrailerErrorBytesMax bytes at most then.
  [[nodiscard]] Answer stream_fail(std::string_view type, std::string_view body, std::string_view xray_cause = {});

  // --- Snapshots ---

  // Waits until the process has been restored from its snapshot. kRefused: this platform takes none; go on.
  // kFatal also where is_interrupted().
  [[nodiscard]] Answer restore_next();
  [[nodiscard]] Answer restore_error(std::string_view type, std::string_view body);

  // Ends a waiting next(), or the next one. An invocation that has arrived is still delivered. From any thread and from
  // signal handlers, while this lives.
  void interrupt() { interrupt_.raise(); }
  bool is_interrupted() const { return interrupt_.is_raised(); }

 private:
  enum class Stream {
    kNone,
    kBegun,    // nothing was sent
    kSending,  // the head and perhaps more was sent
    kBroken,   // the platform takes no more
  };
  enum class Quiet { kNo, kYes };
  enum class Then {
    kNothing,
    kPoll,  // sent along with the request
  };

  // What is said about an invocation, or instead of one.
  struct Message {
    std::string_view what;  // "/response"
    std::string_view type;  // of the content, or of the error
    std::string_view body;
    std::string_view xray_cause = {};
  };
  Answer answer(const Message& message, Quiet quiet = Quiet::kNo, Then then = Then::kNothing);
  Answer post(std::string_view what, std::string_view body, Quiet quiet = Quiet::kNo, Then then = Then::kNothing);
  Answer report(std::string_view path, const Message& message);
  Answer judge(std::string_view what, Quiet quiet) const;
  Answer lost() const;
  bool exchange(std::string_view head, std::string_view body, ResponseParser& parser, Connection::Wait wait,
                Then then = Then::kNothing);
  bool may_poll_along() const { return pipelines_ && !is_interrupted(); }
  bool finish_poll();
  bool take_invocation();
  void complain(std::string_view what, const ResponseParser& parser) const;

  Answer begin(std::string_view content_type, std::string_view prelude);
  bool send_stream(std::string_view bytes, std::string_view end);
  bool open_stream();
  std::int64_t stream_patience_ms() const;
  Answer finish_stream();

  Connection connection_;
  Interrupt interrupt_;
  Buffer user_agent_;
  Buffer next_head_;  // the poll, always the same
  Buffer head_;       // of the last answer; of a stream with its prelude
  Buffer prelude_;
  ResponseParser events_;
  ResponseParser answers_;  // apart from events_, so that the event outlives the answer
  Invocation invocation_;
  Stream stream_ = Stream::kNone;
  bool pipelines_ = false;  // so said the last event
  bool polled_ = false;     // the poll has left with the last answer; answers_ may hold the beginning of the event
};

}  // namespace ogni::runtime
