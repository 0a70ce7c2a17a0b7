// Streamed responses: chunked, with the error of a failure in mid-stream in trailers.
#include <cstdio>

#include "protocol/runtime_api.h"
#include "runtime/base64.h"
#include "runtime/client.h"
#include "runtime/http_writer.h"
#include "runtime/report.h"

namespace ogni::runtime {
namespace {

namespace header = protocol::header;

// Without a deadline, how long the platform may take no byte: the longest time-out of a function.
constexpr std::int64_t kPatienceMs = 900'000;
constexpr std::int64_t kPatienceMsMin = Connection::kAnswerSeconds * 1000;
// Between the prelude and the body.
constexpr std::string_view kPreludeEnd("\0\0\0\0\0\0\0\0", 8);

iovec part_of(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

}  // namespace

Client::Answer Client::stream_begin(std::string_view content_type) {
  return begin(content_type.empty() ? "application/octet-stream" : content_type, {});
}

Client::Answer Client::stream_begin_http(std::string_view prelude) {
  return begin("application/vnd.awslambda.http-integration-response", prelude);
}

Client::Answer Client::begin(std::string_view content_type, std::string_view prelude) {
  RequestWriter writer(head_, "POST");
  writer.target(protocol::kInvocationPathPrefix, invocation_.request_id, "/response", connection_.authority(),
                user_agent_.view());
  writer.field("Content-Type", content_type)
      .field(header::kResponseMode, "streaming")
      .field(header::kInvocationId, invocation_.invocation_id)
      .field("Transfer-Encoding", "chunked")
      .field("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")
      .end();
  prelude_.clear();
  if (!prelude.empty()) prelude_.append(prelude).append(kPreludeEnd);
  if (!head_.ok() || !prelude_.ok()) return Answer::kFatal;
  stream_ = Stream::kBegun;
  return Answer::kAccepted;
}

// A connection that the peer has closed meanwhile is replaced now: later the stream could not be repeated.
bool Client::open_stream() {
  answers_.reset();
  if (connection_.is_open() && connection_.is_stale()) connection_.close();
  for (int attempt = 0; attempt < 3 && !connection_.is_open(); ++attempt) {
    if (connection_.open()) break;
  }
  return connection_.is_open();
}

// How long a stream may stand still.
std::int64_t Client::stream_patience_ms() const {
  const std::int64_t left_ms = invocation_.deadline_ms == 0 ? kPatienceMs : invocation_.deadline_ms - now_ms();
  return left_ms < kPatienceMsMin ? kPatienceMsMin : left_ms;
}

// Sends `bytes` as one chunk, the head before them where it was not sent yet, and `end`. False: stream_ is kBroken.
bool Client::send_stream(std::string_view bytes, std::string_view end) {
  if (stream_ == Stream::kBegun && !open_stream()) stream_ = Stream::kBroken;
  if (stream_ != Stream::kBegun && stream_ != Stream::kSending) return false;
  const bool first = stream_ == Stream::kBegun;
  stream_ = Stream::kSending;
  const std::string_view prelude = first ? prelude_.view() : std::string_view();
  const std::size_t size = prelude.size() + bytes.size();
  char line[24];
  const int line_bytes = size == 0 ? 0 : std::snprintf(line, sizeof line, "%zx\r\n", size);
  iovec parts[] = {part_of(first ? head_.view() : std::string_view()),
                   part_of({line, static_cast<std::size_t>(line_bytes)}),
                   part_of(prelude),
                   part_of(bytes),
                   part_of(size == 0 ? std::string_view() : std::string_view("\r\n")),
                   part_of(end)};
  const Connection::Sent sent = connection_.send_watching(parts, 6, stream_patience_ms());
  if (sent == Connection::Sent::kAll) return true;
  // What the platform says about it, stream_end() hears.
  if (sent == Connection::Sent::kLost) connection_.close();
  stream_ = Stream::kBroken;
  return false;
}

bool Client::stream_write(std::string_view bytes) {
  if (bytes.empty()) return stream_ == Stream::kBegun || stream_ == Stream::kSending;
  return send_stream(bytes, {});
}

Client::Answer Client::stream_end() {
  static_cast<void>(send_stream({}, "0\r\n\r\n"));
  return finish_stream();
}

Client::Answer Client::stream_fail(std::string_view type, std::string_view body, std::string_view xray_cause) {
  if (stream_ == Stream::kBegun) {
    stream_ = Stream::kNone;
    return fail(type, body, xray_cause);
  }
  head_.clear();
  head_.append("0\r\n");
  append_field(head_, header::kFunctionErrorType, slice(type, 0, kErrorTypeBytesMax));
  head_.append(header::kFunctionErrorBody).append(": ");
  append_base64(head_, body);
  head_.append("\r\n\r\n");
  if (!head_.ok()) return Answer::kFatal;
  static_cast<void>(send_stream({}, head_.view()));
  return finish_stream();
}

Client::Answer Client::finish_stream() {
  const bool whole = stream_ == Stream::kSending;
  stream_ = Stream::kNone;
  // The platform acknowledges when it has passed everything on.
  const bool answered =
      connection_.is_open() && connection_.receive(answers_, Connection::Wait::kBounded, stream_patience_ms());
  if (!answered || !whole || !answers_.keep_alive() || answers_.excess() > 0) connection_.close();
  if (!answered) {
    log_line("the connection was lost in the middle of a streamed response");
    return Answer::kRefused;
  }
  const Answer judged = judge("/response", Quiet::kNo);
  return judged == Answer::kAccepted && !whole ? Answer::kRefused : judged;
}

}  // namespace ogni::runtime
