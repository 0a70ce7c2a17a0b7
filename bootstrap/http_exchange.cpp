#include "bootstrap/http_exchange.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace ogni::bootstrap {

using State = runtime::ResponseParser::State;

namespace {

// Servers close idle connections after some seconds, which may have passed in a freeze.
constexpr std::chrono::seconds kKeptMax{1};
constexpr std::chrono::milliseconds kEndMax{100};

}  // namespace

void HttpExchange::write_head(const HttpRequest& request) {
  head_.assign(request.method).append(" ").append(request.path);
  if (!request.query.empty()) head_.append("?").append(request.query);
  head_.append(" HTTP/1.1\r\n");
  for (const HttpField& field : request.fields) {
    head_.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  const bool usually_has_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (usually_has_body || !request.body().empty()) {
    head_.append("content-length: ").append(std::to_string(request.body().size())).append("\r\n");
  }
  head_.append("\r\n");
}

HttpExchange::Outcome HttpExchange::begin(const HttpRequest& request, Clock::time_point until) {
  write_head(request);
  if (socket_ && is_stale()) socket_.close();
  const bool was_open = static_cast<bool>(socket_);
  const Outcome first = attempt(request, until);
  const bool is_repeatable = request.method != "POST" && request.method != "PATCH";
  if (first == Outcome::kFailed && was_open && !has_answered_ && is_repeatable) return attempt(request, until);
  return first;
}

// The peer has closed it, or may be about to: a POST must not be sent into that.
bool HttpExchange::is_stale() const {
  pollfd readable = {socket_.get(), POLLIN, 0};
  return Clock::now() - last_used_ > kKeptMax || ::poll(&readable, 1, 0) != 0;
}

HttpExchange::Outcome HttpExchange::attempt(const HttpRequest& request, Clock::time_point until) {
  has_answered_ = is_sent_ = is_delivered_ = false;
  parser_.reset();
  if (request.method == "HEAD") parser_.expect_no_body();
  if (!socket_) socket_ = connect_to(address_, server_, until);
  if (!socket_) {
    if (server_.has_ended()) return Outcome::kEnded;
    return fail("cannot connect to " + address_.text + ": " + std::strerror(errno));
  }
  std::string_view parts[2] = {head_, request.body()};
  while (!parts[0].empty() || !parts[1].empty()) {
    iovec pieces[2];
    for (int i = 0; i < 2; ++i) pieces[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
    msghdr message = {};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (sent >= 0) {
      is_delivered_ = true;
      auto count = static_cast<std::size_t>(sent);
      for (std::string_view& part : parts) {
        const std::size_t taken = std::min(count, part.size());
        part.remove_prefix(taken);
        count -= taken;
      }
    } else if (errno != EAGAIN && errno != EINTR) {
      break;  // a server may answer before it has read everything, and close
    } else if (errno == EAGAIN) {
      const auto event = server_.wait(socket_.get(), POLLIN | POLLOUT, until);
      if (event == ServerProcess::Event::kEnded) return Outcome::kEnded;
      if (event == ServerProcess::Event::kTime) return fail("the server does not take the request"), Outcome::kTime;
      pollfd readable = {socket_.get(), POLLIN, 0};
      if (::poll(&readable, 1, 0) > 0) break;
    }
  }
  is_sent_ = parts[0].empty() && parts[1].empty();
  return receive(until);
}

HttpExchange::Outcome HttpExchange::more(Taken taken, Clock::time_point until) {
  if (taken == Taken::kForget) parser_.forget_body();
  return receive(until);
}

// Until the head, more of the body, or the end of it is there.
HttpExchange::Outcome HttpExchange::receive(Clock::time_point until) {
  const bool had_head = parser_.state() != State::kHead;
  const std::size_t had = parser_.body().size();
  while (true) {
    if (parser_.state() == State::kDone || parser_.state() == State::kFailed) return judge();
    if (!had_head && parser_.state() == State::kBody) return Outcome::kHead;
    if (had_head && parser_.body().size() > had) return Outcome::kBody;
    const auto space = parser_.space();
    const ssize_t count = ::recv(socket_.get(), space.data, space.size, 0);
    if (count > 0) {
      has_answered_ = true;
      parser_.commit(static_cast<std::size_t>(count));
    } else if (count == 0) {
      if (parser_.finish() == State::kDone) continue;
      // A server that dies closes its sockets a moment before it can be seen to have ended.
      const auto moment = Clock::now() + kEndMax;
      if (server_.wait(-1, 0, std::min(until, moment)) == ServerProcess::Event::kEnded) return Outcome::kEnded;
      return fail(has_answered_ ? "the server closed the connection in the middle of its answer"
                                : "the server closed the connection without an answer");
    } else if (errno == EAGAIN) {
      const auto event = server_.wait(socket_.get(), POLLIN, until);
      if (event == ServerProcess::Event::kTime) return fail("the server does not answer"), Outcome::kTime;
      if (event == ServerProcess::Event::kEnded) return Outcome::kEnded;
    } else if (errno != EINTR) {
      return fail(std::string("the connection to the server was lost: ") + std::strerror(errno));
    }
  }
}

HttpExchange::Outcome HttpExchange::judge() {
  if (parser_.state() == State::kFailed) return fail("the server's answer is no HTTP, is cut off or is too large");
  if (!is_sent_ || !parser_.keep_alive() || parser_.excess() > 0) socket_.close();
  last_used_ = Clock::now();
  return Outcome::kDone;
}

HttpExchange::Outcome HttpExchange::fail(std::string problem) {
  socket_.close();
  problem_ = std::move(problem);
  return Outcome::kFailed;
}

HttpReply HttpExchange::reply() const {
  HttpReply reply;
  reply.status = parser_.status();
  reply.body = parser_.body();
  for (std::size_t i = 0; i < parser_.fields_count(); ++i) {
    const auto& field = parser_.field(i);
    reply.fields.push_back({std::string(field.name), std::string(field.value)});
  }
  return reply;
}

}  // namespace ogni::bootstrap
