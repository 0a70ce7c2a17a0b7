#include "bootstrap/exchange.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
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
    const int error = errno;
    if (has_died(until)) return Outcome::kEnded;
    return fail("cannot connect to " + address_.text + ": " + std::strerror(error));
  }
  bytes_.clear();
  encode(request, bytes_, unsent_[1]);
  unsent_[0] = bytes_;
  return receive(until);
}

// As much of the request as the server takes now. One that has closed the connection may have answered before.
void Exchange::send_on() {
  while (!unsent_[0].empty() || !unsent_[1].empty()) {
    iovec pieces[2];
    for (int i = 0; i < 2; ++i) pieces[i] = {const_cast<char*>(unsent_[i].data()), unsent_[i].size()};
    msghdr message = {};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) {
      unsent_[0] = unsent_[1] = {};
      return;
    }
    is_delivered_ = true;
    auto count = static_cast<std::size_t>(sent);
    for (std::string_view& part : unsent_) {
      const std::size_t taken = std::min(count, part.size());
      part.remove_prefix(taken);
      count -= taken;
    }
  }
  is_sent_ = true;
}

Exchange::Outcome Exchange::more(Taken taken, Clock::time_point until) {
  if (taken == Taken::kForget) forget_body();
  return receive(until);
}

// Until the head, more of the body, or the end of it is there. Meanwhile the rest of the request is sent: a server may
// answer what it has read so far, and read on only when that is taken.
Exchange::Outcome Exchange::receive(Clock::time_point until) {
  const bool had_head = state() != State::kHead;
  const std::size_t had = body().size();
  while (true) {
    if (state() == State::kDone || state() == State::kFailed) return judge();
    if (!had_head && state() == State::kBody) return Outcome::kHead;
    if (had_head && body().size() > had) return Outcome::kBody;
    if (!is_sent_) send_on();
    const Space free = space();
    const ssize_t count = ::recv(socket_.get(), free.data, free.size, 0);
    if (count > 0) {
      has_answered_ = true;
      commit(static_cast<std::size_t>(count));
    } else if (count == 0) {
      finish();
      // An answer without a length ends with the connection: it is whole, or the server has died in the middle of it.
      if (state() == State::kDone && (!has_died(until) || server_.has_succeeded())) continue;
      if (state() == State::kDone) return Outcome::kEnded;
      // A server that dies closes its sockets a moment before it can be seen to have ended.
      const auto moment = Clock::now() + kEndMax;
      if (server_.wait(-1, 0, std::min(until, moment)) == ServerProcess::Event::kEnded) return Outcome::kEnded;
      return fail(has_answered_ ? "the server closed the connection in the middle of its answer"
                                : "the server closed the connection without an answer");
    } else if (errno == EAGAIN) {
      const bool has_more = !unsent_[0].empty() || !unsent_[1].empty();
      const auto event = server_.wait(socket_.get(), static_cast<short>(has_more ? POLLIN | POLLOUT : POLLIN), until);
      if (event == ServerProcess::Event::kTime) {
        return fail(has_more ? "the server does not take the request" : "the server does not answer"), Outcome::kTime;
      }
      if (event == ServerProcess::Event::kEnded) return Outcome::kEnded;
    } else if (const int error = errno; error != EINTR) {
      if (has_died(until)) return Outcome::kEnded;
      return fail(std::string("the connection to the server was lost: ") + std::strerror(error));
    }
  }
}

// A server that has begun to end has closed its sockets, and takes a while to end on a busy machine.
bool Exchange::has_died(Clock::time_point until) const {
  if (server_.has_ended()) return true;
  return server_.is_ending() && server_.wait(-1, 0, until) == ServerProcess::Event::kEnded;
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
