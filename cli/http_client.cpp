#include "cli/http_client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <optional>

#include "base/fd.h"
#include "base/text.h"

namespace ogni::cli {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;
using boost::system::error_code;

constexpr std::size_t kReceiveBytes = 64 * 1024;
constexpr std::uint32_t kHeaderBytesMax = 64 * 1024;

// A connected socket as Beast's synchronous stream, whose every wait ends at a deadline.
class TimedSocket {
 public:
  explicit TimedSocket(Fd socket) : socket_(std::move(socket)) {}

  void set_deadline(std::optional<Clock::time_point> deadline) { deadline_ = deadline; }
  // False once the peer has closed (or sent what nobody asked for): a request would be lost.
  bool is_open() const {
    char byte = 0;
    return ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  template <typename Buffers>
  std::size_t read_some(const Buffers& buffers, error_code& error) {
    const asio::mutable_buffer target = first_of<asio::mutable_buffer>(buffers);
    if (target.size() == 0) return error = {}, 0;
    for (;;) {
      const ssize_t got = ::recv(socket_.get(), target.data(), target.size(), MSG_DONTWAIT);
      if (got > 0) {
        error = {};
        return static_cast<std::size_t>(got);
      }
      if (got == 0) {
        error = asio::error::eof;
        return 0;
      }
      if (!retry(POLLIN, error)) return 0;
    }
  }

  template <typename Buffers>
  std::size_t write_some(const Buffers& buffers, error_code& error) {
    // Head and body leave in one send where they can: a request is then one packet and one wake-up of the
    // peer.
    std::array<::iovec, 16> pieces{};
    std::size_t count = 0;
    for (auto at = asio::buffer_sequence_begin(buffers);
         at != asio::buffer_sequence_end(buffers) && count < pieces.size(); ++at) {
      const asio::const_buffer piece = *at;
      pieces[count++] = {.iov_base = const_cast<void*>(piece.data()), .iov_len = piece.size()};
    }
    ::msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    for (;;) {
      const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent >= 0) {
        error = {};
        return static_cast<std::size_t>(sent);
      }
      if (!retry(POLLOUT, error)) return 0;
    }
  }

  template <typename Buffers>
  std::size_t read_some(const Buffers& buffers) {
    return checked([&](error_code& error) { return read_some(buffers, error); });
  }
  template <typename Buffers>
  std::size_t write_some(const Buffers& buffers) {
    return checked([&](error_code& error) { return write_some(buffers, error); });
  }

 private:
  template <typename Buffer, typename Buffers>
  static Buffer first_of(const Buffers& buffers) {
    for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at) {
      const Buffer buffer = *at;
      if (buffer.size() > 0) return buffer;
    }
    return Buffer();
  }

  template <typename Call>
  static std::size_t checked(const Call& call) {
    error_code error;
    const std::size_t count = call(error);
    if (error) throw boost::system::system_error(error);
    return count;
  }

  // After a call that failed: waits if the socket was not ready. False with `error` set if there is no use.
  bool retry(short events, error_code& error) {
    if (errno == EINTR) return true;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      error.assign(errno, boost::system::system_category());
      return false;
    }
    int wait_ms = -1;
    if (deadline_) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now()).count();
      wait_ms = static_cast<int>(std::clamp<long long>(left, 0, 24LL * 3600 * 1000));
    }
    ::pollfd waiting{.fd = socket_.get(), .events = events, .revents = 0};
    const int ready = ::poll(&waiting, 1, wait_ms);
    if (ready == 0) {
      error = asio::error::timed_out;
      return false;
    }
    if (ready < 0 && errno != EINTR) {
      error.assign(errno, boost::system::system_category());
      return false;
    }
    return true;
  }

  Fd socket_;
  std::optional<Clock::time_point> deadline_;
};

Result<Fd> connect_to(const ::addrinfo& address, std::chrono::milliseconds timeout) {
  Fd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return failure(Error::from_errno("socket"));
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return failure(Error::from_errno("connect"));
    ::pollfd waiting{.fd = socket.get(), .events = POLLOUT, .revents = 0};
    int ready = 0;
    do {
      ready = ::poll(&waiting, 1, static_cast<int>(timeout.count()));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) return failure(ErrorCode::kTimedOut, "no answer to the connection");
    int status = 0;
    ::socklen_t size = sizeof status;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &status, &size);
    if (status != 0) return failure(Error::from_errno("connect", status));
  }
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  return socket;
}

std::string reason_of(const Error& error) {
  if (error.system_error() == ECONNREFUSED) return "connection refused";
  if (error.system_error() != 0) return std::strerror(error.system_error());
  return error.message();
}

Error nobody_at(const Endpoint& endpoint, const std::string& reason) {
  return {ErrorCode::kUnavailable, "no Ogni at " + endpoint.url() + ": " + reason + ". Start it with: ogni serve"};
}

http::request<http::span_body<const char>> to_beast(const HttpRequest& request, const Endpoint& endpoint) {
  http::request<http::span_body<const char>> message;
  message.version(11);
  message.method_string(request.method);
  message.target(request.target);
  message.set(http::field::host, endpoint.authority());
  message.set(http::field::user_agent, "ogni");
  message.set(http::field::accept, "*/*");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  if (!request.body.empty()) message.set(http::field::content_type, request.content_type);
  message.body() = {request.body.data(), request.body.size()};
  message.prepare_payload();
  return message;
}

template <typename Message>
HttpResponse head_of(const Message& message) {
  HttpResponse response;
  response.status = static_cast<int>(message.result_int());
  for (const auto& field : message) response.headers.emplace_back(field.name_string(), field.value());
  return response;
}

Error cannot_exchange(const Endpoint& endpoint, const error_code& error) {
  if (error == asio::error::timed_out) {
    return {ErrorCode::kTimedOut, "no answer from " + endpoint.url() + " in time"};
  }
  if (error.category() == boost::system::system_category() || error == asio::error::eof ||
      error == http::error::end_of_stream || error == http::error::partial_message) {
    return {ErrorCode::kUnavailable, "the connection to " + endpoint.url() +
                                         " broke before the answer was complete. Is the service going down?"};
  }
  return {ErrorCode::kIo, "what answers at " + endpoint.url() + " is not Ogni: " + error.message()};
}

}  // namespace

struct HttpClient::Connection {
  explicit Connection(Fd socket) : stream(std::move(socket)) {}
  TimedSocket stream;
  boost::beast::flat_buffer received;
};

std::string Endpoint::authority() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}
std::string Endpoint::url() const { return "http://" + authority(); }

Result<Endpoint> parse_endpoint(std::string_view url) {
  const std::string shown = "'" + printable(url) + "'";
  const std::string scheme = to_lower(url.substr(0, std::min(url.find("://"), url.size())));
  if (scheme == "https") {
    return failure(ErrorCode::kInvalidArgument,
                   "endpoint " + shown +
                       ": https, and so AWS itself, is not supported by this version. The same zip and "
                       "layer can be deployed with the AWS CLI");
  }
  if (scheme != "http" || url.size() < 8) {
    return failure(ErrorCode::kInvalidArgument, "endpoint " + shown + " is not of the form http://HOST:PORT");
  }
  std::string_view rest = url.substr(7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  Endpoint endpoint{.host = {}, .port = 80};
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t close = rest.find(']');
    if (close != std::string_view::npos) {
      endpoint.host = rest.substr(1, close - 1);
      rest.remove_prefix(close + 1);
      if (rest.starts_with(':')) port = rest.substr(1);
      if (!rest.empty() && !rest.starts_with(':')) endpoint.host.clear();
    }
  } else {
    const std::size_t colon = rest.find(':');
    endpoint.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) port = rest.substr(colon + 1);
  }
  if (!port.empty()) {
    const auto [end, status] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (status != std::errc() || end != port.data() + port.size() || endpoint.port == 0) endpoint.host.clear();
  }
  const bool is_plain = std::ranges::all_of(endpoint.host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == ':' || c == '%';
  });
  if (endpoint.host.empty() || !is_plain) {
    return failure(ErrorCode::kInvalidArgument, "endpoint " + shown + " is not of the form http://HOST:PORT");
  }
  return endpoint;
}

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (equals_ignoring_case(field, name)) return value;
  }
  return {};
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
        c == '.' || c == '~') {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 15];
    }
  }
  return encoded;
}

HttpClient::HttpClient(Endpoint endpoint, HttpTimeouts timeouts)
    : endpoint_(std::move(endpoint)), timeouts_(timeouts) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<void> HttpClient::connect() {
  ::addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  ::addrinfo* found = nullptr;
  const int status = ::getaddrinfo(endpoint_.host.c_str(), std::to_string(endpoint_.port).c_str(), &hints, &found);
  if (status != 0) return failure(nobody_at(endpoint_, ::gai_strerror(status)));
  const std::unique_ptr<::addrinfo, void (*)(::addrinfo*)> addresses(found, &::freeaddrinfo);
  std::string reason;
  for (const ::addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
    if (auto socket = connect_to(*at, timeouts_.connect)) {
      connection_ = std::make_unique<Connection>(std::move(*socket));
      return {};
    } else {
      reason = reason_of(socket.error());
    }
  }
  return failure(nobody_at(endpoint_, reason));
}

Result<HttpResponse> HttpClient::exchange_once(const HttpRequest& request, std::chrono::milliseconds exchange,
                                               const Progress& on_progress) {
  Connection& connection = *connection_;
  connection.stream.set_deadline(Clock::now() + exchange);
  error_code error;
  auto message = to_beast(request, endpoint_);
  http::request_serializer<http::span_body<const char>> serializer(message);
  std::size_t sent = 0;
  while (!serializer.is_done()) {
    sent += http::write_some(connection.stream, serializer, error);
    // A server that refuses a body answers and closes before it has read it all: the answer says why.
    if (error) break;
    if (on_progress) on_progress(std::min(sent, request.body.size()));
  }
  if (error == asio::error::timed_out) return failure(cannot_exchange(endpoint_, error));
  http::response_parser<http::string_body> parser;
  parser.body_limit(kAnswerBytesMax);
  parser.header_limit(kHeaderBytesMax);
  http::read(connection.stream, connection.received, parser, error);
  if (error) return failure(cannot_exchange(endpoint_, error));
  HttpResponse response = head_of(parser.get());
  response.body = std::move(parser.get().body());
  if (!parser.get().keep_alive() || !serializer.is_done()) connection_.reset();
  return response;
}

Result<HttpResponse> HttpClient::send(const HttpRequest& request, std::chrono::milliseconds exchange,
                                      const Progress& on_progress) {
  if (connection_ == nullptr || !connection_->stream.is_open()) {
    if (auto connected = connect(); !connected) return failure(connected.error());
  }
  auto answer = exchange_once(request, exchange, on_progress);
  if (answer) return answer;
  connection_.reset();
  return answer;
}

Result<HttpResponse> HttpClient::stream(const HttpRequest& request,
                                        const std::function<bool(std::string_view piece)>& on_piece) {
  if (auto connected = connect(); !connected) return failure(connected.error());
  Connection& connection = *connection_;
  const std::unique_ptr<Connection> closing = std::move(connection_);  // never reused
  connection.stream.set_deadline(Clock::now() + timeouts_.exchange);
  error_code error;
  auto message = to_beast(request, endpoint_);
  http::write(connection.stream, message, error);
  http::response_parser<http::buffer_body> parser;
  parser.header_limit(kHeaderBytesMax);
  parser.body_limit(boost::none);
  http::read_header(connection.stream, connection.received, parser, error);
  if (error) return failure(cannot_exchange(endpoint_, error));
  HttpResponse response = head_of(parser.get());
  const bool is_wanted = response.status == 200;
  if (is_wanted) connection.stream.set_deadline(std::nullopt);
  std::vector<char> buffer(kReceiveBytes);
  while (!parser.is_done()) {
    parser.get().body().data = buffer.data();
    parser.get().body().size = buffer.size();
    http::read_some(connection.stream, connection.received, parser, error);
    const std::string_view piece(buffer.data(), buffer.size() - parser.get().body().size);
    if (is_wanted && !piece.empty() && !on_piece(piece)) break;
    if (!is_wanted) response.body += piece;
    if (response.body.size() > kAnswerBytesMax) return failure(ErrorCode::kTooLarge, "the answer is too large");
    if (error == http::error::need_buffer) error = {};
    if (error) return failure(cannot_exchange(endpoint_, error));
  }
  return response;
}

}  // namespace ogni::cli
