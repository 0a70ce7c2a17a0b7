#include "bootstrap/exchange.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace ogni::bootstrap {

namespace {

// Servers close idle connections after some seconds, which may have passed in a freeze.
constexpr std::chrono::seconds kKeptMax{1};
constexpr std::chrono::milliseconds kEndMax{100};

}  // namespace

Exchange::Outcome Exchange::begin(const HttpRequest& request, Clock::time_point until) {
  if (socket_ && is_stale()) socket_.close();
  const bool was_open = static_cast<bool>(socket_);
  const Outcome first = attempt(request, until);
  const bool is_repeatable = request.method != "POST" && request.method != "PATCH";
  if (first == Outcome::kFailed && was_open && !has_answered_ && is_repeatable) return attempt(request, until);
  return first;
}

// The peer has closed it, or may be about to: a POST must not be sent into that.
bool Exchange::is_stale() const {
  pollfd readable = {socket_.get(), POLLIN, 0};
  return Clock::now() - last_used_ > kKeptMax || ::poll(&readable, 1, 0) != 0;
}

Exchange::Outcome Exchange::attempt(const HttpRequest& request, Clock::time_point until) {
  has_answered_ = is_sent_ = is_delivered_ = false;
  expect(request);
  if (!socket_) socket_ = connect_to(address_, server_, until);
  if (!socket_) {
    if (server_.has_ended()) return Outcome::kEnded;
    return fail("cannot connect to " + address_.text + ": " + std::strerror(errno));
  }
  bytes_.clear();
  std::string_view body;
  encode(request, bytes_, body);
  const Outcome sent = send(bytes_, body, until);
  return sent == Outcome::kDone ? receive(until) : sent;
}

// kDone: sent as far as the server takes it, which may answer before it has read everything.
Exchange::Outcome Exchange::send(std::string_view head, std::string_view body, Clock::time_point until) {
  std::string_view parts[2] = {head, body};
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
      return Outcome::kDone;
    } else if (errno == EAGAIN) {
      const auto event = server_.wait(socket_.get(), POLLIN | POLLOUT, until);
      if (event == ServerProcess::Event::kEnded) return Outcome::kEnded;
      if (event == ServerProcess::Event::kTime) return fail("the server does not take the request"), Outcome::kTime;
      pollfd readable = {socket_.get(), POLLIN, 0};
      if (::poll(&readable, 1, 0) > 0) return Outcome::kDone;
    }
  }
  is_sent_ = true;
  return Outcome::kDone;
}

Exchange::Outcome Exchange::more(Taken taken, Clock::time_point until) {
  if (taken == Taken::kForget) forget_body();
  return receive(until);
}

// Until the head, more of the body, or the end of it is there.
Exchange::Outcome Exchange::receive(Clock::time_point until) {
  const bool had_head = state() != State::kHead;
  const std::size_t had = body().size();
  while (true) {
    if (state() == State::kDone || state() == State::kFailed) return judge();
    if (!had_head && state() == State::kBody) return Outcome::kHead;
    if (had_head && body().size() > had) return Outcome::kBody;
    const Space free = space();
    const ssize_t count = ::recv(socket_.get(), free.data, free.size, 0);
    if (count > 0) {
      has_answered_ = true;
      commit(static_cast<std::size_t>(count));
    } else if (count == 0) {
      finish();
      if (state() == State::kDone) continue;
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

Exchange::Outcome Exchange::judge() {
  if (state() == State::kFailed) return fail("the server's answer is malformed, is cut off or is too large");
  if (!is_sent_ || !is_kept()) socket_.close();
  last_used_ = Clock::now();
  return Outcome::kDone;
}

Exchange::Outcome Exchange::fail(std::string problem) {
  socket_.close();
  problem_ = std::move(problem);
  return Outcome::kFailed;
}

}  // namespace ogni::bootstrap
