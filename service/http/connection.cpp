#include "service/http/connection.h"

#include <poll.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

#include "base/log.h"
#include "service/http/acknowledge.h"

namespace ogni::http {
namespace {

namespace asio = boost::asio;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t kBufferBytesFirst = 4 * 1024;
constexpr std::size_t kCopyBytesMax = 4 * 1024;
constexpr int kPipelinedUnits = service::WorkShare::kUnits / 2;
constexpr std::uint64_t kLargeBodyBytes = 1024 * 1024;
// A peer that sends slower than this per stall_max counts as stalled.
constexpr std::size_t kProgressBytes = 4 * 1024;
// What is read and thrown away after an early answer, so that a client still sending gets to read it.
constexpr std::uint64_t kDrainBytesMax = std::uint64_t{128} * 1024 * 1024;

std::string_view number(std::uint64_t value, std::array<char, 24>& space, int base = 10) {
  const auto result = std::to_chars(space.data(), space.data() + space.size(), value, base);
  return {space.data(), static_cast<std::size_t>(result.ptr - space.data())};
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::shared_ptr<Shared> shared, Admission admission)
    : shared_(std::move(shared)),
      socket_(std::move(socket)),
      admission_(admission),
      parser_(shared_->limits.head_bytes_max),
      since_(shared_->sweeps) {
  request_.watch_peer([this] { return peer_is_gone(); });
  place_ = shared_->connections.insert(shared_->connections.end(), this);
}

Connection::~Connection() {
  release_body();
  shared_->connections.erase(place_);
  if (shared_->connections.empty()) shared_->all_closed.cancel();
}

asio::awaitable<void> Connection::run(std::unique_ptr<Connection> self) {
  try {
    boost::system::error_code error;
    self->socket_.set_option(asio::ip::tcp::no_delay(true), error);
    if (!error) self->socket_.non_blocking(true, error);
    if (!error) co_await self->serve();
  } catch (const std::exception& broken) {
    spdlog::error("http connection ended: {}", broken.what());
  }
}

void Connection::enter(Phase phase) {
  phase_ = phase;
  since_ = shared_->sweeps;
  progress_ = 0;
}

void Connection::note_progress(std::size_t bytes) {
  progress_ += bytes;
  if (progress_ < kProgressBytes) return;
  since_ = shared_->sweeps;
  progress_ = 0;
}

void Connection::sweep() {
  std::chrono::milliseconds allowed{};
  switch (phase_) {
    case Phase::kIdle:
      allowed = shared_->limits.idle_max;
      break;
    case Phase::kHead:
    case Phase::kDraining:
      allowed = shared_->limits.head_max;
      break;
    case Phase::kBody:
    case Phase::kWriting:
      allowed = shared_->limits.stall_max;
      break;
    case Phase::kHandling:
    case Phase::kFollowing:
      return;  // the handler's own bounds
  }
  // The phase began somewhere inside a sweep, hence one more.
  if (shared_->limits.sweep_every * static_cast<long>(shared_->sweeps - since_) >
      allowed + shared_->limits.sweep_every) {
    close();
  }
}

bool Connection::peer_is_gone() {
  if (!socket_.is_open()) return true;
  pollfd peer{.fd = socket_.native_handle(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&peer, 1, 0) > 0 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void Connection::stop_when_idle() {
  if (phase_ == Phase::kIdle || phase_ == Phase::kFollowing) close();
}

void Connection::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Connection::consume(std::size_t bytes) {
  begin_ += bytes;
  if (begin_ == end_) begin_ = end_ = 0;
}

bool Connection::make_room() {
  if (end_ < buffer_.size()) return true;
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    end_ -= begin_;
    begin_ = 0;
    buffer_.resize(buffer_.capacity());
    if (end_ < buffer_.size()) return true;
  }
  const std::size_t most = shared_->limits.head_bytes_max + kBufferBytesFirst;
  if (buffer_.size() >= most) return false;
  buffer_.resize(std::min(most, std::max(kBufferBytesFirst, buffer_.size() * 2)));
  return true;
}

asio::awaitable<bool> Connection::read_some() {
  if (!make_room() || !socket_.is_open()) co_return false;
  if (phase_ != Phase::kIdle) acknowledge_now(socket_);
  const auto [error, bytes] =
      co_await socket_.async_read_some(asio::buffer(buffer_.data() + end_, buffer_.size() - end_), kTuple);
  end_ += bytes;
  co_return !error;
}

bool Connection::reserve_body(std::uint64_t bytes) {
  if (bytes <= kLargeBodyBytes || bytes <= reserved_) return true;
  const std::uint64_t more = bytes - reserved_;
  if (more > shared_->limits.large_body_bytes_max - shared_->large_body_bytes) return false;
  shared_->large_body_bytes += more;
  reserved_ = bytes;
  return true;
}

void Connection::release_body() {
  shared_->large_body_bytes -= reserved_;
  reserved_ = 0;
}

asio::awaitable<void> Connection::serve() {
  After after = After::kKeepAlive;
  while (after == After::kKeepAlive) {
    request_.clear();
    parser_.reset();
    enter(Phase::kIdle);
    RequestParser::Head head;
    while (head.bytes == 0) {
      auto parsed = parser_.parse_head(received(), request_);
      if (!parsed) {
        const bool large = parsed.error().code() == ErrorCode::kTooLarge;
        Failure failure{.kind = large ? Failure::Kind::kHeadTooLarge : Failure::Kind::kMalformed,
                        .reason = parsed.error().message()};
        co_await fail(failure, After::kDrain);
        co_await drain();
        co_return;
      }
      head = *parsed;
      if (head.bytes > 0) break;
      if (received().empty() ? shared_->stopping : false) co_return;
      if (!received().empty() && phase_ == Phase::kIdle) enter(Phase::kHead);
      if (!co_await read_some()) co_return;
    }
    consume(head.bytes);
    enter(Phase::kHandling);
    after = co_await serve_request(head);
    release_body();
    // Those who send many requests at once have few answered in each turn, all of them together.
    if (after == After::kKeepAlive && !received().empty()) {
      shared_->pipelines->charge(kPipelinedUnits);
      co_await shared_->pipelines->turn();
    }
  }
  if (after == After::kDrain) co_await drain();
}

asio::awaitable<Connection::After> Connection::serve_request(RequestParser::Head head) {
  http_1_0_ = head.is_http_1_0;
  keep_alive_ = head.keep_alive;
  // What is refused here has not read its body: the connection cannot go on behind one.
  const After refused = head.body == RequestParser::Body::kNone && keep_alive_ ? After::kKeepAlive : After::kDrain;
  if (admission_ == Admission::kOverLimit) {
    co_return co_await fail({.kind = Failure::Kind::kBusy, .reason = "Too many connections."}, After::kDrain);
  }
  if (!http_1_0_ && request_.count_headers("Host") != 1) {  // RFC 9112, 3.2
    co_return co_await fail({.kind = Failure::Kind::kMalformed, .reason = "HTTP/1.1 needs one Host header"}, refused);
  }
  if (const auto reason = shared_->site.guard.refusal(request_)) {
    co_return co_await fail({.kind = Failure::Kind::kForbidden, .reason = *reason}, refused);
  }
  if (shared_->site.filter) {
    if (std::optional<Response> answer = shared_->site.filter(request_)) {
      if (refused == After::kDrain) keep_alive_ = false;
      co_return co_await send(std::move(*answer)) ? refused : After::kClose;
    }
  }
  const Router::Match match = shared_->site.router->find(request_);
  switch (match.outcome) {
    case Router::Outcome::kFound:
      break;
    case Router::Outcome::kUnknownPath:
      co_return co_await fail({.kind = Failure::Kind::kUnknownPath}, refused);
    case Router::Outcome::kBadEncoding:
      co_return co_await fail({.kind = Failure::Kind::kMalformed, .reason = "the path is badly encoded"}, refused);
    case Router::Outcome::kWrongMethod: {
      const bool asks = request_.method() == Method::kOptions;
      if (refused == After::kDrain) keep_alive_ = false;
      Response response =
          asks ? Response(204) : shared_->site.render_failure(Failure{.kind = Failure::Kind::kWrongMethod});
      response.add_header("Allow", match.allowed_methods + ", OPTIONS");
      co_return co_await send(std::move(response)) ? refused : After::kClose;
    }
  }

  if (head.body != RequestParser::Body::kNone) {
    if (const auto over = co_await read_body(head, match.route)) co_return *over;
    enter(Phase::kHandling);
  }
  Response response;
  bool broken = false;
  try {
    response = co_await match.route->handler(request_);
  } catch (const std::exception& thrown) {
    spdlog::error("{} failed: {}", match.route->operation, thrown.what());
    broken = true;
  }
  if (broken) response = shared_->site.render_failure(Failure{.kind = Failure::Kind::kInternal, .route = match.route});
  if (response.closes() || shared_->stopping) keep_alive_ = false;
  const bool sent = response.stream ? co_await send_stream(std::move(response)) : co_await send(std::move(response));
  co_return sent&& keep_alive_ ? After::kKeepAlive : After::kClose;
}

asio::awaitable<std::optional<Connection::After>> Connection::read_body(RequestParser::Head head, const Route* route) {
  const bool chunked = head.body == RequestParser::Body::kChunked;
  if (!chunked && head.body_bytes > route->body_max) {
    Failure failure{.kind = Failure::Kind::kBodyTooLarge, .route = route, .body_bytes = head.body_bytes};
    co_return co_await fail(failure, After::kDrain);
  }
  if (!chunked && !reserve_body(head.body_bytes)) {
    co_return co_await fail({.kind = Failure::Kind::kBusy, .reason = "Too many large requests.", .route = route},
                            After::kDrain);
  }
  enter(Phase::kBody);
  const std::size_t wanted = chunked ? 0 : static_cast<std::size_t>(head.body_bytes);
  if (head.expects_continue && (chunked ? received().empty() : received().size() < wanted)) {
    if (!co_await send_bytes("HTTP/1.1 100 Continue\r\n\r\n", {})) co_return After::kClose;
    enter(Phase::kBody);
  }
  if (chunked) co_return co_await read_chunks(route);

  // The bytes go from the kernel into the string that the handler gets; what came with the head is moved
  // there. Left uninitialised, a declared length costs address space only.
  std::string& body = request_.body;
  body.resize_and_overwrite(wanted,
                            [wanted](char*, std::size_t) { return wanted; });  // libstdc++ 12 passes its capacity
  std::size_t have = std::min(received().size(), wanted);
  std::copy_n(received().data(), have, body.data());
  consume(have);
  while (have < wanted) {
    acknowledge_now(socket_);
    const auto [error, bytes] =
        co_await socket_.async_read_some(asio::buffer(body.data() + have, wanted - have), kTuple);
    if (error) co_return After::kClose;
    have += bytes;
    note_progress(bytes);
  }
  co_return std::nullopt;
}

asio::awaitable<std::optional<Connection::After>> Connection::read_chunks(const Route* route) {
  while (true) {
    const auto chunks = parser_.parse_chunks(received(), request_.body, route->body_max);
    if (!chunks) {
      co_return co_await fail({.kind = Failure::Kind::kMalformed, .reason = chunks.error().message(), .route = route},
                              After::kDrain);
    }
    if (chunks->too_large) {
      co_return co_await fail({.kind = Failure::Kind::kBodyTooLarge, .reason = "the body is too large", .route = route},
                              After::kDrain);
    }
    if (!reserve_body(request_.body.capacity())) {
      co_return co_await fail({.kind = Failure::Kind::kBusy, .reason = "Too many large requests.", .route = route},
                              After::kDrain);
    }
    consume(chunks->bytes);
    if (chunks->complete) co_return std::nullopt;
    note_progress(chunks->bytes);
    if (received().size() >= shared_->limits.head_bytes_max) {
      co_return co_await fail({.kind = Failure::Kind::kMalformed, .reason = "a chunk's head is too large"},
                              After::kDrain);
    }
    if (!co_await read_some()) co_return After::kClose;
  }
}

asio::awaitable<Connection::After> Connection::fail(Failure failure, After after) {
  if (after != After::kKeepAlive) keep_alive_ = false;
  co_return co_await send(shared_->site.render_failure(failure)) ? after : After::kClose;
}

void Connection::make_head(const Response& response) {
  out_.clear();
  out_ += "HTTP/1.1 ";
  out_ += status_line(response.status());
  out_ += "\r\n";
  out_ += shared_->date_line;
  out_ += response.header_text();
  if (!keep_alive_) {
    out_ += "Connection: close\r\n";
  } else if (http_1_0_) {
    out_ += "Connection: keep-alive\r\n";
  }
}

asio::awaitable<bool> Connection::send(Response response) {
  enter(Phase::kWriting);
  make_head(response);
  const bool bodiless = response.status() == 204 || response.status() == 304;
  if (!bodiless) {
    std::array<char, 24> digits;
    out_ += "Content-Length: ";
    out_ += number(response.body.size(), digits);
    out_ += "\r\n";
  }
  out_ += "\r\n";
  const bool omit = bodiless || request_.method() == Method::kHead;
  if (!omit && response.body.size() <= kCopyBytesMax) {  // cheaper than telling the kernel of two places
    out_ += response.body;
    co_return co_await send_bytes(out_, {});
  }
  co_return co_await send_bytes(out_, omit ? std::string_view() : std::string_view(response.body));
}

asio::awaitable<bool> Connection::send_bytes(std::string_view head, std::string_view body, std::string_view tail) {
  std::array<asio::const_buffer, 3> parts{asio::buffer(head), asio::buffer(body), asio::buffer(tail)};
  std::size_t left = head.size() + body.size() + tail.size();
  // Most answers fit the socket's buffer: tried at once, they need no trip through the event loop.
  boost::system::error_code error;
  const bool single = body.empty() && tail.empty();
  std::size_t sent = single ? socket_.write_some(asio::buffer(head), error) : socket_.write_some(parts, error);
  if (error == asio::error::would_block || error == asio::error::try_again) error = {};
  while (!error) {
    left -= sent;
    note_progress(sent);
    if (left == 0) co_return true;
    for (asio::const_buffer& part : parts) {
      const std::size_t gone = std::min(sent, part.size());
      part += gone;
      sent -= gone;
    }
    std::tie(error, sent) = co_await socket_.async_write_some(parts, kTuple);
  }
  co_return false;
}

asio::awaitable<bool> Connection::send_stream(Response response) {
  enter(Phase::kWriting);
  stream_form_ = response.stream_bytes ? StreamForm::kLength : http_1_0_ ? StreamForm::kToEnd : StreamForm::kChunked;
  if (stream_form_ == StreamForm::kToEnd) keep_alive_ = false;
  make_head(response);
  if (stream_form_ == StreamForm::kLength) {
    std::array<char, 24> digits;
    out_ += "Content-Length: ";
    out_ += number(*response.stream_bytes, digits);
    out_ += "\r\n";
  } else if (stream_form_ == StreamForm::kChunked) {
    out_ += "Transfer-Encoding: chunked\r\n";
  }
  out_ += "\r\n";
  if (!co_await send_bytes(out_, {})) co_return false;
  if (request_.method() == Method::kHead) co_return true;

  using boost::asio::experimental::awaitable_operators::operator||;
  stream_left_ = response.stream_bytes.value_or(0);
  stream_intact_ = true;
  enter(stream_form_ == StreamForm::kLength ? Phase::kHandling : Phase::kFollowing);
  co_await (produce(response.stream) || watch_peer());
  if (!stream_intact_ || stream_left_ > 0 || !socket_.is_open()) co_return false;
  if (stream_form_ == StreamForm::kChunked) co_return co_await send_bytes("0\r\n\r\n", {});
  co_return stream_form_ == StreamForm::kLength;
}

asio::awaitable<void> Connection::produce(const BodyStream& stream) {
  // `||` waits for the other side after a throw, so none may leave here.
  try {
    co_await stream(*this);
  } catch (const boost::system::system_error& ended) {
    stream_intact_ = false;
    if (ended.code() != asio::error::operation_aborted) spdlog::error("http stream ended: {}", ended.what());
  } catch (const std::exception& broken) {
    stream_intact_ = false;
    spdlog::error("http stream ended: {}", broken.what());
  }
}

asio::awaitable<void> Connection::watch_peer() {
  // Returns when the peer is gone, or has sent more than it may while it waits.
  while (make_room()) {
    const auto [error, bytes] =
        co_await socket_.async_read_some(asio::buffer(buffer_.data() + end_, buffer_.size() - end_), kTuple);
    end_ += bytes;
    // The other side has ended first: the connection goes on.
    if (error == asio::error::operation_aborted && socket_.is_open()) co_return;
    if (error) break;
  }
  stream_intact_ = false;
}

asio::awaitable<bool> Connection::write(std::string_view bytes) {
  if (!stream_intact_) co_return false;
  if (bytes.empty()) co_return true;
  if (stream_form_ == StreamForm::kLength && bytes.size() > stream_left_) {
    stream_intact_ = false;  // a body longer than its Content-Length would be read as the next answer
    co_return false;
  }
  const Phase before = phase_;
  enter(Phase::kWriting);
  bool sent = false;
  if (stream_form_ == StreamForm::kChunked) {
    std::array<char, 24> digits;
    out_.assign(number(bytes.size(), digits, 16));
    out_ += "\r\n";
    sent = co_await send_bytes(out_, bytes, "\r\n");
  } else {
    sent = co_await send_bytes(bytes, {});
    if (stream_form_ == StreamForm::kLength) stream_left_ -= bytes.size();
  }
  enter(before);
  stream_intact_ = stream_intact_ && sent;
  co_return sent;
}

asio::awaitable<void> Connection::drain() {
  if (!socket_.is_open()) co_return;
  enter(Phase::kDraining);
  boost::system::error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  begin_ = end_ = 0;
  buffer_.resize(std::size_t{64} * 1024);
  std::uint64_t drained = 0;
  while (!error && drained < kDrainBytesMax) {
    std::size_t bytes = 0;
    std::tie(error, bytes) = co_await socket_.async_read_some(asio::buffer(buffer_), kTuple);
    drained += bytes;
  }
}

}  // namespace ogni::http
