#include "runtime/client.h"

#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "protocol/runtime_api.h"
#include "runtime/http_writer.h"
#include "runtime/report.h"

namespace ogni::runtime {
namespace {

namespace header = protocol::header;

// A connection is tried this often, with waits of 0, 10, 20, 40 ... 500 ms between: two seconds in all.
constexpr int kAttempts = 10;
constexpr long kBackOffFirstMs = 10;
constexpr long kBackOffMaxMs = 500;
// /next answered with an error this often in a row ends the process.
constexpr int kRefusedNextMax = 5;
// Of an error's text, this much is logged.
constexpr std::size_t kComplaintBytesMax = 300;
constexpr int kTooLarge = 413;
// Clocks count nanoseconds in 64 bits.
constexpr std::int64_t kDeadlineMsMax = INT64_MAX / 1'000'000;

// A signal ends the wait early, which does no harm.
void back_off(int attempt) {
  if (attempt < 2) return;
  long wait_ms = kBackOffFirstMs << (attempt - 2);
  if (wait_ms > kBackOffMaxMs) wait_ms = kBackOffMaxMs;
  const timespec wait = {wait_ms / 1000, wait_ms % 1000 * 1'000'000};
  ::nanosleep(&wait, nullptr);
}

iovec part_of(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

}  // namespace

Client::Client(const Endpoint& endpoint, std::string_view user_agent)
    : connection_(endpoint), events_(kEventBytesMax), answers_(kAnswerBytesMax) {
  user_agent_.append(user_agent);
  RequestWriter(next_head_, "GET").target(protocol::kNextPath, {}, {}, endpoint.authority(), user_agent).end();
}

bool Client::next() {
  invocation_ = {};
  if (stream_ != Stream::kNone) {
    connection_.close();
    stream_ = Stream::kNone;
  }
  if (!next_head_.ok()) return false;
  for (int refused = 0; refused < kRefusedNextMax; ++refused) {
    if (!finish_poll() && !exchange(next_head_.view(), {}, events_, Connection::Wait::kForever)) {
      if (!is_interrupted()) log_line("the Runtime API cannot be reached");
      return false;
    }
    if (events_.status() == 200 && take_invocation()) return true;
    invocation_ = {};
    complain("/next", events_);
    if (events_.status() >= 500) return false;
    back_off(refused + 2);
  }
  return false;
}

bool Client::take_invocation() {
  std::string_view deadline;
  const struct {
    std::string_view name;
    std::string_view& value;
  } wanted[] = {{header::kRequestId, invocation_.request_id},
                {header::kDeadlineMs, deadline},
                {header::kInvokedFunctionArn, invocation_.invoked_function_arn},
                {header::kTraceId, invocation_.trace_id},
                {header::kClientContext, invocation_.client_context},
                {header::kCognitoIdentity, invocation_.cognito_identity},
                {header::kTenantId, invocation_.tenant_id},
                {header::kInvocationId, invocation_.invocation_id},
                {"Content-Type", invocation_.content_type}};
  for (const auto& field : wanted) field.value = events_.header(field.name);
  const std::int64_t deadline_ms = parse_decimal(deadline, INT64_MAX);
  invocation_.deadline_ms = deadline_ms < 0 ? 0 : deadline_ms < kDeadlineMsMax ? deadline_ms : kDeadlineMsMax;
  invocation_.event = events_.body();
  pipelines_ = events_.header(header::kPipelining) == "1";
  return !invocation_.request_id.empty();
}

Client::Answer Client::respond(std::string_view body, std::string_view content_type) {
  const Answer answered = answer({"/response", content_type, body});
  if (answered != Answer::kRefused || answers_.status() != kTooLarge) return answered;
  // AWS has told the caller by itself and refuses this; elsewhere the caller would wait.
  constexpr std::string_view kType = "Function.ResponseSizeTooLarge";
  const Answer reported = answer({"/error", kType,
                                  "{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size.\","
                                  "\"errorType\":\"Function.ResponseSizeTooLarge\"}"},
                                 Quiet::kYes);
  return reported == Answer::kFatal ? reported : Answer::kRefused;
}

Client::Answer Client::fail(std::string_view type, std::string_view body, std::string_view xray_cause) {
  return answer({"/error", type, body, xray_cause});
}

bool Client::is_traced() const {
  return !invocation_.trace_id.empty() && invocation_.trace_id.find("Sampled=0") == std::string_view::npos;
}

Client::Answer Client::init_error(std::string_view type, std::string_view body, std::string_view xray_cause) {
  return report(protocol::kInitErrorPath, {"/init/error", type, body, xray_cause});
}

Client::Answer Client::restore_error(std::string_view type, std::string_view body) {
  return report(protocol::kRestoreErrorPath, {"/restore/error", type, body});
}

Client::Answer Client::restore_next() {
  invocation_ = {};
  RequestWriter(head_, "GET")
      .target(protocol::kRestoreNextPath, {}, {}, connection_.authority(), user_agent_.view())
      .end();
  if (!head_.ok() || !exchange(head_.view(), {}, events_, Connection::Wait::kForever)) return lost();
  if (events_.status() >= 200 && events_.status() < 300) return Answer::kAccepted;
  constexpr int kNotFound = 404;  // where no snapshots are taken
  if (events_.status() != kNotFound) complain("/restore/next", events_);
  return events_.status() >= 500 ? Answer::kFatal : Answer::kRefused;
}

Client::Answer Client::report(std::string_view path, const Message& message) {
  RequestWriter(head_, "POST")
      .target(path, {}, {}, connection_.authority(), user_agent_.view())
      .field("Content-Type", "application/json")
      .field(header::kFunctionErrorType, slice(message.type, 0, kErrorTypeBytesMax))
      .field(header::kXrayErrorCause, message.xray_cause)
      .end_with_body(message.body.size());
  return post(message.what, message.body);
}

Client::Answer Client::answer(const Message& message, Quiet quiet, Then then) {
  RequestWriter writer(head_, "POST");
  writer.target(protocol::kInvocationPathPrefix, invocation_.request_id, message.what, connection_.authority(),
                user_agent_.view());
  if (message.what == "/error") {
    writer.field("Content-Type", "application/json")
        .field(header::kFunctionErrorType, slice(message.type, 0, kErrorTypeBytesMax))
        .field(header::kXrayErrorCause, message.xray_cause);
  } else {
    writer.field("Content-Type", message.type);
  }
  writer.field(header::kInvocationId, invocation_.invocation_id).end_with_body(message.body.size());
  return post(message.what, message.body, quiet, then);
}

Client::Answer Client::post(std::string_view what, std::string_view body, Quiet quiet, Then then) {
  if (!head_.ok() || !exchange(head_.view(), body, answers_, Connection::Wait::kBounded, then)) return lost();
  return judge(what, quiet);
}

Client::Answer Client::judge(std::string_view what, Quiet quiet) const {
  const int status = answers_.status();
  if (status >= 200 && status < 300) return Answer::kAccepted;
  if (quiet == Quiet::kNo || status >= 500) complain(what, answers_);
  return status >= 500 ? Answer::kFatal : Answer::kRefused;
}

Client::Answer Client::lost() const {
  if (!is_interrupted()) log_line("the Runtime API cannot be reached");
  return Answer::kFatal;
}

void Client::complain(std::string_view what, const ResponseParser& parser) const {
  char line[kComplaintBytesMax + 100];
  const std::string_view said = slice(parser.body(), 0, kComplaintBytesMax);
  const int bytes = std::snprintf(line, sizeof line, "the Runtime API answered %.*s with status %d: %.*s",
                                  static_cast<int>(what.size()), what.data(), parser.status(),
                                  static_cast<int>(said.size()), said.data());
  if (bytes > 0) log_line({line, static_cast<std::size_t>(bytes)});
}

bool Client::exchange(std::string_view head, std::string_view body, ResponseParser& parser, Connection::Wait wait,
                      Then then) {
  const bool interruptible = wait == Connection::Wait::kForever;
  if (polled_) connection_.close();  // what comes there answers the poll
  polled_ = false;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    back_off(attempt);
    parser.reset();
    if (parser.state() == ResponseParser::State::kFailed) return false;  // no memory
    if (!connection_.is_open() && !connection_.open()) continue;
    if (interruptible && !interrupt_.begin_wait(connection_.socket())) return false;
    const bool polls = then == Then::kPoll;
    iovec parts[3] = {part_of(head), part_of(body), part_of(polls ? next_head_.view() : std::string_view())};
    // A server may answer (413) before it has read all of a large body, and then close, or read no more.
    const Connection::Sent sent = connection_.send_watching(parts, 3, Connection::kAnswerSeconds * 1000);
    const bool whole = sent == Connection::Sent::kAll;
    bool received =
        sent != Connection::Sent::kLost && connection_.receive(parser, whole ? wait : Connection::Wait::kBounded);
    if (interruptible) interrupt_.end_wait(connection_.socket());
    const bool shut = interruptible && is_interrupted();
    // What interrupt() has closed is not the end of a body that ends so.
    if (shut && parser.ended_by_close()) received = false;
    const bool too_much = parser.excess() > 0 && !polls;
    if (!received || !whole || shut || !parser.keep_alive() || too_much) connection_.close();
    polled_ = polls && connection_.is_open();
    if (received) return true;
    if (shut) return false;
  }
  return false;
}

}  // namespace ogni::runtime
