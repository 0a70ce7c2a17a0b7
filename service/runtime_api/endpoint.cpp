#include "service/runtime_api/endpoint.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <expected>

#include "base/log.h"
#include "protocol/limits.h"
#include "protocol/runtime_api.h"
#include "service/http/acknowledge.h"
#include "service/http/parser.h"
#include "service/runtime_api/routes.h"

namespace ogni::service {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kUse = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kBodyReadBytes = 64 * 1024;
// A body in chunks is parsed in pieces of this size: of chunks of one byte it holds hundreds.
constexpr std::size_t kParseBytes = 2048;
// What things cost, in units of WorkShare: a request beside its head, an answer that takes no invocation further (it
// wakes its reader, which takes longer than all else), a line of a head, a connection, a look at one.
constexpr int kRequestUnits = 16;
constexpr int kIdleAnswerUnits = 96;
constexpr int kHeadLineUnits = 2;
constexpr int kConnectionUnits = 64;
constexpr int kLookUnits = 2;
constexpr int units_of_read(std::size_t bytes) { return 8 + static_cast<int>(bytes / 2048); }
// A head is parsed at once when it is complete, which takes some 1.5 ms for 1 MiB.
constexpr int units_of_head(std::size_t bytes) { return 8 + static_cast<int>(bytes / 64); }
// A head of 700 bytes in 10 lines.
constexpr int kUsualHeadUnits = units_of_head(700) + 10 * kHeadLineUnits;
// What an invocation is credited with: two requests, each on a connection of its own and in a few pieces; the bytes of its
// answer, in reads of 16 KiB or chunks of 1 KiB and more.
constexpr int kInvocationUnits = 2 * (kRequestUnits + kUsualHeadUnits + kConnectionUnits + 4 * units_of_read(0));
constexpr std::size_t kAnswerBytesPerUnit = 640;
// A refused or oversized body is read to its end up to here, so that the connection can go on.
constexpr std::uint64_t kDiscardBytesMax = 64 << 20;
constexpr std::size_t kCopyBytesMax = 4096;
constexpr int kBacklogMax = 4096;
// What is between two chunks: sizes, extensions, trailers.
constexpr std::size_t kChunkHeadBytesMax = 64 * 1024;

}  // namespace

class RuntimeEndpoint::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<RuntimeHost> host, std::shared_ptr<Turns::Member> turns,
             std::shared_ptr<BodyRoom::Holder> room)
      : socket_(std::move(socket)),
        host_(std::move(host)),
        turns_(std::move(turns)),
        lease_(std::move(room)),
        parser_(kHeadBytesMax) {}

  asio::awaitable<void> run() {
    while (open_) {
      if (!co_await read_head()) break;
      // However many connections have something to say at once, few of them are heard in each turn.
      co_await turns_->turn();
      if (!open_) break;
      turns_->charge(kRequestUnits + units_of_head(head_.bytes));
      if (!co_await serve()) break;
      request_.clear();
      parser_.reset();
      if (buffer_.empty() && buffer_.capacity() > BodyRoom::kFreeBytes) std::string().swap(buffer_);
      lease_.give_back();
    }
    close();
  }

  void close() {
    open_ = false;
    boost::system::error_code ignored;
    socket_.close(ignored);
    lease_.leave();
    if (const auto waiter = std::exchange(waiter_, nullptr)) {
      waiter->abandoned = true;
      waiter->outcome.set(std::monostate());
    }
  }

  // While a poll waits nothing is read, so that a peer which left is found only by looking.
  bool is_abandoned() {
    if (!waiter_) return false;
    char byte = 0;
    return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }

 private:
  asio::awaitable<bool> read_head() {
    for (;;) {
      if (!buffer_.empty()) {
        const std::size_t lines_before = parser_.head_lines();
        auto head = parser_.parse_head(buffer_, request_);
        turns_->charge(kHeadLineUnits * static_cast<int>(parser_.head_lines() - lines_before));
        if (!head) {
          co_await write_error(
              {.http_status = 400, .error_type = "InvalidRequestFormat", .message = "Malformed request"});
          co_return false;
        }
        if (head->bytes > 0) {
          head_ = *head;
          buffer_.erase(0, head->bytes);
          co_return true;
        }
      }
      if (!co_await read_some(buffer_.empty() ? Rest::kNothing : Rest::kOfARequest)) co_return false;
    }
  }

  enum class Rest { kNothing, kOfARequest };
  asio::awaitable<bool> read_some(Rest rest) {
    co_await turns_->turn();
    if (!open_ || !co_await lease_.grow(buffer_.size() + kReadBytes)) co_return false;
    if (rest == Rest::kOfARequest) http::acknowledge_now(socket_);
    const std::size_t before = buffer_.size();
    // (libstdc++ 12 gives the callback its capacity for the size)
    buffer_.resize_and_overwrite(before + kReadBytes, [=](char*, std::size_t) { return before + kReadBytes; });
    auto [error, count] = co_await socket_.async_read_some(asio::buffer(buffer_.data() + before, kReadBytes), kUse);
    buffer_.resize(before + count);
    turns_->charge(units_of_read(count));
    co_return !error && open_;
  }

  asio::awaitable<bool> serve() {
    const Target target = parse_target(request_.method(), request_.path());
    switch (target.call) {
      case Call::kNext:
        co_return co_await serve_next();
      case Call::kResponse:
        co_return co_await serve_answer(AnswerKind::kResponse, target.request_id);
      case Call::kError:
        co_return co_await serve_answer(AnswerKind::kError, target.request_id);
      case Call::kInitError:
        co_return co_await serve_init_error();
      case Call::kPing:
        co_return co_await answer(200, "text/plain", "pong");
      case Call::kNotFound:
        co_return co_await answer(404, "text/plain; charset=utf-8", "404 page not found\n");
      case Call::kWrongMethod:
        co_return co_await answer(405, "", "");
    }
    co_return false;
  }

  asio::awaitable<bool> serve_next() {
    if (!co_await discard_body()) co_return false;
    const auto waiter = std::make_shared<NextWaiter>();
    waiter_ = waiter;
    host_->next(waiter);
    NextOutcome outcome = co_await waiter->outcome.wait();
    waiter_.reset();
    if (!open_ || std::holds_alternative<std::monostate>(outcome)) co_return false;
    if (const auto* error = std::get_if<runtime_api::ApiError>(&outcome)) co_return co_await write_error(*error);
    const auto& event = std::get<NextEvent>(outcome);
    turns_->credit(kInvocationUnits);
    head_text_ = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    head_text_.append(protocol::header::kPipelining).append(": 1\r\n");
    head_text_ += event.headers;
    co_return co_await write_head_and(event.payload);
  }

  asio::awaitable<bool> serve_answer(AnswerKind kind, std::string_view request_id) {
    const AnswerHead answer{.kind = kind,
                            .request_id = request_id,
                            .invocation_id = request_.header(protocol::header::kInvocationId),
                            .error_type = request_.header(protocol::header::kFunctionErrorType),
                            .response_mode = request_.header(protocol::header::kResponseMode)};
    if (const auto refused = host_->begin_answer(answer)) co_return co_await refuse(*refused);
    if (head_.body == http::RequestParser::Body::kLength) credit_answer(head_.body_bytes);
    auto body = co_await read_body(protocol::limits::kPayloadBytesMax);
    if (!open_) co_return false;  // the environment has ended, and its invocation with it
    if (body) {
      host_->finish_answer(kind, std::move(*body));
      co_return co_await write_accepted();
    }
    if (body.error() == BodyFailure::kTooLarge) {
      host_->oversized_answer();
      co_return co_await refuse(runtime_api::request_too_large());
    }
    host_->broken_answer();
    co_await write_error(runtime_api::truncated_request());
    co_return false;
  }

  asio::awaitable<bool> serve_init_error() {
    const auto refused = host_->begin_init_error(request_.header(protocol::header::kFunctionErrorType));
    if (refused) co_return co_await refuse(*refused);
    auto body = co_await read_body(protocol::limits::kPayloadBytesMax);
    if (!open_) co_return false;
    if (body) {
      host_->finish_init_error(std::move(body->bytes));
      co_return co_await write_accepted();
    }
    co_return body.error() == BodyFailure::kTooLarge&& co_await refuse(runtime_api::request_too_large());
  }

  // An invocation has one answer, so this is bounded by its size.
  void credit_answer(std::uint64_t bytes) {
    const auto due = std::min<std::uint64_t>(bytes, protocol::limits::kPayloadBytesMax) / kAnswerBytesPerUnit;
    turns_->credit(static_cast<int>(due));
  }

  enum class BodyFailure { kTooLarge, kBroken };
  using ReadBody = std::expected<AnswerBody, BodyFailure>;

  asio::awaitable<ReadBody> read_body(std::size_t bytes_max) {
    using Body = http::RequestParser::Body;
    if (head_.body == Body::kNone) co_return AnswerBody{};
    if (head_.body == Body::kLength && head_.body_bytes > bytes_max) co_return std::unexpected(BodyFailure::kTooLarge);
    if (!co_await write_continue()) co_return std::unexpected(BodyFailure::kBroken);
    if (head_.body == Body::kLength) co_return co_await read_length();
    co_return co_await read_chunks(bytes_max);
  }

  // Received straight into its final place.
  asio::awaitable<ReadBody> read_length() {
    const auto wanted = static_cast<std::size_t>(std::exchange(head_.body_bytes, 0));
    std::size_t have = std::min(wanted, buffer_.size());
    AnswerBody body;
    body.bytes.resize_and_overwrite(wanted, [&](char* to, std::size_t) {
      buffer_.copy(to, have);
      return wanted;
    });
    buffer_.erase(0, have);
    while (have < wanted) {
      co_await turns_->turn();
      const std::size_t most = std::min(wanted - have, kBodyReadBytes);
      // What has not come costs nothing: the rest of the string is address space.
      if (!open_ || !co_await lease_.grow(have + most)) co_return std::unexpected(BodyFailure::kBroken);
      http::acknowledge_now(socket_);
      auto [error, count] = co_await socket_.async_read_some(asio::buffer(body.bytes.data() + have, most), kUse);
      turns_->charge(units_of_read(count));
      if (error || !open_) co_return std::unexpected(BodyFailure::kBroken);
      have += count;
    }
    co_return body;
  }

  // Parses some of the chunks that are here already.
  Result<http::RequestParser::Chunks> parse_some_chunks(std::string& body, std::size_t bytes_max) {
    const std::string_view all(buffer_);
    const std::size_t before = body.size();
    auto chunks = parser_.parse_chunks(all.substr(0, kParseBytes), body, bytes_max);
    // The head of a chunk, or the trailers, may be longer than that.
    const bool too_little = chunks && chunks->bytes == 0 && all.size() > kParseBytes;
    if (too_little) chunks = parser_.parse_chunks(all, body, bytes_max);
    if (!chunks) return chunks;
    buffer_.erase(0, chunks->bytes);
    turns_->charge(1 + static_cast<int>(chunks->begun / 2));
    credit_answer(body.size() - before);
    return chunks;
  }
  // Waits until there are more. False where the body cannot go on.
  asio::awaitable<bool> await_chunks(const http::RequestParser::Chunks& before) {
    if (before.bytes > 0 && !buffer_.empty()) {
      co_await turns_->turn();
      co_return open_;
    }
    co_return buffer_.size() <= kChunkHeadBytesMax&& co_await read_some(Rest::kOfARequest);
  }

  asio::awaitable<ReadBody> read_chunks(std::size_t bytes_max) {
    AnswerBody body;
    for (;;) {
      const auto chunks = parse_some_chunks(body.bytes, bytes_max);
      if (!chunks) co_return std::unexpected(BodyFailure::kBroken);
      if (chunks->complete) head_.body = http::RequestParser::Body::kNone;
      if (chunks->too_large) co_return std::unexpected(BodyFailure::kTooLarge);
      if (chunks->complete) break;
      if (!co_await lease_.grow(body.bytes.capacity())) co_return std::unexpected(BodyFailure::kBroken);
      if (!co_await await_chunks(*chunks)) co_return std::unexpected(BodyFailure::kBroken);
    }
    StreamFailure failure{.error_type = std::string(parser_.trailer(protocol::header::kFunctionErrorType)),
                          .error_body = std::string(parser_.trailer(protocol::header::kFunctionErrorBody))};
    if (!failure.error_type.empty() || !failure.error_body.empty()) body.failure = std::move(failure);
    co_return body;
  }

  // Reads what is left of the body, so that the next request can be found. False where it does not end.
  asio::awaitable<bool> discard_body() {
    using Body = http::RequestParser::Body;
    if (head_.body == Body::kNone || (head_.body == Body::kLength && head_.body_bytes == 0)) co_return open_;
    if (head_.expects_continue) co_return false;  // the peer waits for a word before it sends: answer and close
    if (head_.body == Body::kChunked) co_return co_await discard_chunks();
    if (head_.body_bytes > kDiscardBytesMax) co_return false;
    std::uint64_t left = head_.body_bytes;
    for (;;) {
      const auto here = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size()));
      buffer_.erase(0, here);
      left -= here;
      if (left == 0) co_return open_;
      if (!co_await read_some(Rest::kOfARequest)) co_return false;
    }
  }

  asio::awaitable<bool> discard_chunks() {
    std::string nothing;
    for (std::uint64_t total = 0; total <= kDiscardBytesMax;) {
      const auto chunks = parse_some_chunks(nothing, 0);
      if (!chunks) co_return false;
      total += chunks->bytes;
      if (chunks->complete) co_return open_;
      if (!co_await await_chunks(*chunks)) co_return false;
    }
    co_return false;
  }

  asio::awaitable<bool> write_continue() {
    if (!head_.expects_continue) co_return open_;
    head_.expects_continue = false;
    co_return co_await send("HTTP/1.1 100 Continue\r\n\r\n");
  }

  asio::awaitable<bool> write_accepted() {
    static constexpr std::string_view kAccepted =
        "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
    co_return co_await send(kAccepted) && head_.keep_alive;
  }

  asio::awaitable<bool> write_error(const runtime_api::ApiError& error) {
    co_return co_await write(error.http_status, "application/json", error.body());
  }

  // The answer leaves in any case; where the body's end cannot be found, the connection ends after it.
  asio::awaitable<bool> refuse(runtime_api::ApiError error) {
    const bool goes_on = co_await discard_body();
    co_return open_&& co_await write_error(error) && goes_on;
  }
  asio::awaitable<bool> answer(int status, std::string_view content_type, std::string body) {
    const bool goes_on = co_await discard_body();
    co_return open_&& co_await write(status, content_type, std::move(body)) && goes_on;
  }

  asio::awaitable<bool> write(int status, std::string_view content_type, std::string body) {
    turns_->charge(kIdleAnswerUnits);
    head_text_ = "HTTP/1.1 ";
    head_text_ += http::status_line(status);
    head_text_ += "\r\n";
    if (!content_type.empty()) {
      head_text_ += "Content-Type: ";
      head_text_ += content_type;
      head_text_ += "\r\n";
    }
    co_return co_await write_head_and(body);
  }

  asio::awaitable<bool> write_head_and(std::string_view body) {
    head_text_ += "Content-Length: ";
    head_text_ += std::to_string(body.size());
    head_text_ += "\r\n\r\n";
    if (body.size() <= kCopyBytesMax) {  // cheaper than telling the kernel of two places
      head_text_ += body;
      body = {};
    }
    co_return co_await send(head_text_, body) && head_.keep_alive;
  }

  // Most of what is sent fits the socket's buffer: tried at once, it needs no trip through the event loop.
  asio::awaitable<bool> send(std::string_view first, std::string_view second = {}) {
    boost::system::error_code error;
    std::size_t sent = 0;
    if (second.empty()) {
      sent = socket_.write_some(asio::buffer(first), error);
    } else {
      sent = socket_.write_some(std::array{asio::buffer(first), asio::buffer(second)}, error);
    }
    if (error == asio::error::would_block || error == asio::error::try_again) error = {};
    if (error) co_return false;
    if (sent == first.size() + second.size()) co_return open_;
    std::array<asio::const_buffer, 2> left{asio::buffer(first), asio::buffer(second)};
    for (asio::const_buffer& part : left) {
      const std::size_t gone = std::min(sent, part.size());
      part += gone;
      sent -= gone;
    }
    auto [failed, count] = co_await asio::async_write(socket_, left, kUse);
    co_return !failed && open_;
  }

  tcp::socket socket_;
  std::shared_ptr<RuntimeHost> host_;
  std::shared_ptr<Turns::Member> turns_;
  BodyRoom::Lease lease_;
  http::RequestParser parser_;
  http::Request request_;
  http::RequestParser::Head head_;
  std::string buffer_;     // received and not yet used
  std::string head_text_;  // of the response being written
  std::shared_ptr<NextWaiter> waiter_;
  bool open_ = true;
};

Result<void> RuntimeEndpoint::start(Fd socket, std::weak_ptr<RuntimeHost> host) {
  boost::system::error_code error;
  acceptor_.assign(tcp::v4(), std::move(socket).release(), error);
  if (error) return failure(ErrorCode::kIo, "take over the Runtime API's socket: " + error.message());
  acceptor_.non_blocking(true, error);
  host_ = std::move(host);
  asio::co_spawn(
      acceptor_.get_executor(),
      [](std::shared_ptr<RuntimeEndpoint> self) -> asio::awaitable<void> {
        co_await self->accept_loop();
      }(shared_from_this()),
      asio::detached);
  return {};
}

asio::awaitable<void> RuntimeEndpoint::accept_loop() {
  for (;;) {
    co_await turns_->turn();
    if (!acceptor_.is_open()) co_return;
    auto [error, socket] = co_await acceptor_.async_accept(kUse);
    if (!acceptor_.is_open()) co_return;
    if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
    if (error) {  // out of descriptors: the peer waits in the queue until there are some
      asio::steady_timer pause(acceptor_.get_executor(), std::chrono::milliseconds(50));
      co_await pause.async_wait(kUse);
      continue;
    }
    auto host = host_.lock();
    if (!host) co_return;
    turns_->charge(kConnectionUnits + kLookUnits * static_cast<int>(connections_.size()));
    sweep_abandoned();
    if (connections_.size() >= kConnectionsMax) continue;  // closes the socket
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    auto connection = std::make_shared<Connection>(std::move(socket), std::move(host), turns_, room_);
    connections_.insert(connection);
    asio::co_spawn(
        acceptor_.get_executor(),
        [](std::shared_ptr<RuntimeEndpoint> self, std::shared_ptr<Connection> mine) -> asio::awaitable<void> {
          co_await mine->run();
          self->connections_.erase(mine);
        }(shared_from_this(), connection),
        asio::detached);
  }
}

void RuntimeEndpoint::sweep_abandoned() {
  std::vector<std::shared_ptr<Connection>> abandoned;
  for (const auto& connection : connections_) {
    if (connection->is_abandoned()) abandoned.push_back(connection);
  }
  for (const auto& connection : abandoned) connection->close();
}

void RuntimeEndpoint::close_connections() {
  const auto closing = std::exchange(connections_, {});
  for (const auto& connection : closing) connection->close();
  if (!acceptor_.is_open()) return;
  for (int left_in_queue = 0; left_in_queue < kBacklogMax; ++left_in_queue) {
    const Fd left(::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!left) return;
  }
}

void RuntimeEndpoint::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  close_connections();
}

}  // namespace ogni::service
