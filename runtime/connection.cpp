#include "runtime/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

namespace ogni::runtime {
namespace {

// Leaves out of `message` what has been sent.
void advance(msghdr& message, std::size_t sent) {
  while (message.msg_iovlen > 0 && sent >= message.msg_iov->iov_len) {
    sent -= message.msg_iov->iov_len;
    ++message.msg_iov;
    --message.msg_iovlen;
  }
  if (message.msg_iovlen > 0) {
    message.msg_iov->iov_base = static_cast<char*>(message.msg_iov->iov_base) + sent;
    message.msg_iov->iov_len -= sent;
  }
}

msghdr message_of(iovec* parts, int count) {
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
  advance(message, 0);
  return message;
}

}  // namespace

bool Connection::open() {
  socket_ = ::socket(endpoint_.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return false;
  const int on = 1;
  const timeval timeout = {kAnswerSeconds, 0};
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  const auto* address = reinterpret_cast<const sockaddr*>(&endpoint_.address);
  if (::connect(socket_, address, endpoint_.address_bytes) == 0) return true;
  close();
  return false;
}

void Connection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool Connection::is_stale() const {
  char byte = 0;
  return ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EINTR);
}

bool Connection::send(iovec* parts, int count) {
  msghdr message = message_of(parts, count);
  while (message.msg_iovlen > 0) {
    const ssize_t sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    advance(message, static_cast<std::size_t>(sent));
  }
  return true;
}

Connection::Sent Connection::send_watching(iovec* parts, int count, std::int64_t patience_ms) {
  msghdr message = message_of(parts, count);
  const int patience = static_cast<int>(patience_ms < INT32_MAX ? patience_ms : INT32_MAX);
  while (message.msg_iovlen > 0) {
    const ssize_t sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      advance(message, static_cast<std::size_t>(sent));
    } else if (sent < 0 && errno == EAGAIN) {
      pollfd waiting = {socket_, POLLIN | POLLOUT, 0};
      const int ready = ::poll(&waiting, 1, patience);
      if (ready == 0 || (ready < 0 && errno != EINTR)) return Sent::kLost;
      if (ready > 0 && (waiting.revents & POLLIN) != 0) return Sent::kAnswered;
      if (ready > 0 && (waiting.revents & POLLOUT) == 0) return Sent::kLost;
    } else if (sent == 0 || errno != EINTR) {
      return Sent::kAnswered;  // the peer has hung up, perhaps after an answer
    }
  }
  return Sent::kAll;
}

// Whether a byte comes in what is left of `patience_ms` once the socket's own time-out has passed.
bool Connection::comes_late(std::int64_t patience_ms) const {
  const std::int64_t left_ms = patience_ms - std::int64_t{kAnswerSeconds} * 1000;
  if (left_ms <= 0) return false;
  pollfd waiting = {socket_, POLLIN, 0};
  const int ready = ::poll(&waiting, 1, static_cast<int>(left_ms < INT32_MAX ? left_ms : INT32_MAX));
  return ready > 0 || (ready < 0 && errno == EINTR);
}

bool Connection::receive(ResponseParser& parser, Wait wait, std::int64_t patience_ms) {
  while (parser.state() == ResponseParser::State::kHead || parser.state() == ResponseParser::State::kBody) {
    const ResponseParser::Space space = parser.space();
    const ssize_t received = ::recv(socket_, space.data, space.size, 0);
    if (received > 0) {
      parser.commit(static_cast<std::size_t>(received));
    } else if (received == 0) {
      parser.finish();
    } else if (errno == EAGAIN) {
      if (wait != Wait::kForever && !comes_late(patience_ms)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return parser.state() == ResponseParser::State::kDone;
}

}  // namespace ogni::runtime
