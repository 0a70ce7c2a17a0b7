// The HTTP/1.1 server: accepts connections, reads requests, calls handlers, writes answers. Keep-alive,
// pipelining, chunked bodies, Expect: 100-continue. Everything a peer can make it hold is bounded.
//
// All on one executor's thread. The server, and what the site refers to, outlive the connections: await
// stop() first.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "service/http/guard.h"
#include "service/http/router.h"

namespace ogni::http {

struct ServerLimits {
  std::size_t connections_max = 1024;
  std::size_t head_bytes_max = 16 * 1024;
  // Bodies over 1 MiB that are being read or handled, of all connections together; beyond it, 503.
  std::uint64_t large_body_bytes_max = std::uint64_t{512} * 1024 * 1024;
  std::chrono::milliseconds head_max{30'000};    // from a request's first byte to the end of its head
  std::chrono::milliseconds stall_max{30'000};   // without progress while a body is read or a response written
  std::chrono::milliseconds idle_max{120'000};   // between requests
  std::chrono::milliseconds sweep_every{1'000};  // how exact the three above are
};

// What the server refuses by itself. The site gives it the shape that its clients expect.
struct Failure {
  enum class Kind {
    kMalformed,     // 400
    kForbidden,     // 403, by the guard
    kUnknownPath,   // 404
    kWrongMethod,   // 405
    kBodyTooLarge,  // 413; `route` is set, `body_bytes` if the client said
    kHeadTooLarge,  // 431
    kInternal,      // 500: a handler threw
    kBusy,          // 503: a bound of ServerLimits
  };
  Kind kind = Kind::kInternal;
  std::string_view reason;
  const Route* route = nullptr;
  std::uint64_t body_bytes = 0;
};
using FailureRenderer = std::function<Response(const Failure&)>;
// Looks at a request before its path is: an answer, or nothing for a request that may go on.
using RequestFilter = std::function<std::optional<Response>(const Request&)>;

struct Site {
  const Router* router = nullptr;
  Guard guard;
  FailureRenderer render_failure;
  RequestFilter filter = nullptr;  // may be empty
};

// A listening socket on an address such as "127.0.0.1" or "::1"; port 0 lets the kernel choose. Errors:
// kInvalidArgument for what is not an address; kConflict when the port is taken; kIo.
[[nodiscard]] Result<Fd> listen_tcp(const std::string& address, std::uint16_t port);
// The port that a listening socket has.
[[nodiscard]] Result<std::uint16_t> port_of(int listener);

class Server {
 public:
  Server(boost::asio::any_io_executor executor, Site site, ServerLimits limits = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts connections from a listening TCP socket. May be called for several.
  [[nodiscard]] Result<void> serve(Fd listener);
  std::size_t connections() const;
  // Accepts no more, ends idle connections, lets running requests finish for `patience`, then ends them too.
  // Returns when no connection is left.
  boost::asio::awaitable<void> stop(std::chrono::milliseconds patience);

 private:
  struct State;
  static boost::asio::awaitable<void> accept_loop(std::shared_ptr<State> state, std::size_t index);
  static boost::asio::awaitable<void> sweep_loop(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace ogni::http
