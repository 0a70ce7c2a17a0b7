#include "runtime/client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <thread>

#include "protocol/runtime_api.h"
#include "runtime/http_writer.h"

namespace ogni::runtime {
namespace {

namespace header = protocol::header;

// A connection is tried this often, with waits of 0, 10, 20, 40 ... 500 ms between: two seconds in all.
constexpr int kAttempts = 10;
constexpr std::chrono::milliseconds kBackOffFirst{10};
constexpr std::chrono::milliseconds kBackOffMax{500};
// How long the platform may take to accept or acknowledge an answer.
constexpr timeval kAnswerTimeout{60, 0};
// /next answered with an error this often in a row ends the process.
constexpr int kRefusedNextMax = 5;

void back_off(int attempt) {
  if (attempt < 2) return;
  std::this_thread::sleep_for(std::min(kBackOffFirst * (1 << (attempt - 2)), kBackOffMax));
}

void complain(std::string_view what, int status) {
  std::fprintf(stderr, "ogni: the Runtime API answered %.*s with status %d\n", static_cast<int>(what.size()),
               what.data(), status);
}

}  // namespace

Client::Client(Endpoint endpoint, std::string_view user_agent)
    : endpoint_(std::move(endpoint)), user_agent_(user_agent), events_(kEventBytesMax), answers_(kAnswerBytesMax) {
  RequestWriter(next_head_, "GET", protocol::kNextPath, endpoint_.authority, user_agent_).end();
  head_.reserve(1024);
  target_.reserve(256);
}

Client::~Client() { disconnect(); }

bool Client::next() {
  invocation_ = {};
  for (int refused = 0; refused < kRefusedNextMax; ++refused) {
    if (!exchange(next_head_, {}, events_, Wait::kForever)) {
      std::fputs("ogni: the Runtime API cannot be reached\n", stderr);
      return false;
    }
    if (events_.status() == 200 && take_invocation()) return true;
    complain("/next", events_.status());
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
  std::from_chars(deadline.data(), deadline.data() + deadline.size(), invocation_.deadline_ms);
  invocation_.event = events_.body();
  return !invocation_.request_id.empty();
}

Client::Answer Client::respond(std::string_view body, std::string_view content_type) {
  return answer("/response", "Content-Type", content_type, body);
}

Client::Answer Client::fail(std::string_view type, std::string_view body) {
  return answer("/error", header::kFunctionErrorType, type, body);
}

Client::Answer Client::init_error(std::string_view type, std::string_view body) {
  RequestWriter(head_, "POST", protocol::kInitErrorPath, endpoint_.authority, user_agent_)
      .field("Content-Type", "application/json")
      .field(header::kFunctionErrorType, type)
      .end_with_body(body.size());
  return post("/init/error", body);
}

Client::Answer Client::answer(std::string_view what, std::string_view type_field, std::string_view type,
                              std::string_view body) {
  target_.assign(protocol::kInvocationPathPrefix).append(invocation_.request_id).append(what);
  RequestWriter writer(head_, "POST", target_, endpoint_.authority, user_agent_);
  if (what == "/error") writer.field("Content-Type", "application/json");
  writer.field(type_field, type).field(header::kInvocationId, invocation_.invocation_id);
  writer.end_with_body(body.size());
  return post(what, body);
}

Client::Answer Client::post(std::string_view what, std::string_view body) {
  if (!exchange(head_, body, answers_, Wait::kBounded)) {
    std::fputs("ogni: the Runtime API cannot be reached\n", stderr);
    return Answer::kFatal;
  }
  const int status = answers_.status();
  if (status >= 200 && status < 300) return Answer::kAccepted;
  complain(what, status);
  return status >= 500 ? Answer::kFatal : Answer::kRefused;
}

bool Client::exchange(std::string_view head, std::string_view body, ResponseParser& parser, Wait wait) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    back_off(attempt);
    if (socket_ < 0 && !connect()) continue;
    parser.reset();
    const bool sent = send(head, body);
    // A server may answer (413) before it has read all of a large body, and then close.
    if (!receive(parser, wait)) {
      disconnect();
      continue;
    }
    if (!sent || !parser.keep_alive() || parser.excess() > 0) disconnect();
    return true;
  }
  return false;
}

bool Client::connect() {
  socket_ = ::socket(endpoint_.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return false;
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout, sizeof kAnswerTimeout);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &kAnswerTimeout, sizeof kAnswerTimeout);
  const auto* address = reinterpret_cast<const sockaddr*>(&endpoint_.address);
  if (::connect(socket_, address, endpoint_.address_bytes) == 0) return true;
  disconnect();
  return false;
}

void Client::disconnect() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool Client::send(std::string_view head, std::string_view body) {
  iovec parts[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(body.data()), body.size()}};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = body.empty() ? 1 : 2;
  while (message.msg_iovlen > 0) {
    const ssize_t sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    auto left = static_cast<std::size_t>(sent);
    while (message.msg_iovlen > 0 && left >= message.msg_iov->iov_len) {
      left -= message.msg_iov->iov_len;
      ++message.msg_iov;
      --message.msg_iovlen;
    }
    if (message.msg_iovlen > 0) {
      message.msg_iov->iov_base = static_cast<char*>(message.msg_iov->iov_base) + left;
      message.msg_iov->iov_len -= left;
    }
  }
  return true;
}

bool Client::receive(ResponseParser& parser, Wait wait) {
  while (parser.state() == ResponseParser::State::kHead || parser.state() == ResponseParser::State::kBody) {
    const ResponseParser::Space space = parser.space();
    const ssize_t received = ::recv(socket_, space.data, space.size, 0);
    if (received > 0) {
      parser.commit(static_cast<std::size_t>(received));
    } else if (received == 0) {
      parser.finish();
    } else if (errno != EINTR && !(wait == Wait::kForever && errno == EAGAIN)) {
      return false;
    }
  }
  return parser.state() == ResponseParser::State::kDone;
}

}  // namespace ogni::runtime
