#include "service/http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ctime>

#include "base/log.h"
#include "service/http/connection.h"

namespace ogni::http {
namespace {

namespace asio = boost::asio;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

// Connections beyond the limit that are still read and told so; more are closed at once.
constexpr std::size_t kOverLimitMax = 64;

std::string make_date_line() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 64> text;
  const std::size_t size = std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
  return {text.data(), size};
}

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

}  // namespace

Result<Fd> listen_tcp(const std::string& address, std::uint16_t port) {
  Address bound{};
  socklen_t size = 0;
  if (::inet_pton(AF_INET, address.c_str(), &bound.v4.sin_addr) == 1) {
    bound.v4.sin_family = AF_INET;
    bound.v4.sin_port = htons(port);
    size = sizeof bound.v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &bound.v6.sin6_addr) == 1) {
    bound.v6.sin6_family = AF_INET6;
    bound.v6.sin6_port = htons(port);
    size = sizeof bound.v6;
  } else {
    return failure(ErrorCode::kInvalidArgument, "not an IP address: " + address);
  }
  Fd listener(::socket(bound.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!listener) return failure(Error::from_errno("make a socket"));
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const std::string name = "listen on " + address + " port " + std::to_string(port);
  if (::bind(listener.get(), &bound.any, size) != 0 || ::listen(listener.get(), SOMAXCONN) != 0) {
    if (errno == EADDRINUSE) return failure(ErrorCode::kConflict, name + ": the port is taken");
    return failure(Error::from_errno(name));
  }
  return listener;
}

Result<std::uint16_t> port_of(int listener) {
  Address bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(listener, &bound.any, &size) != 0) return failure(Error::from_errno("name of a socket"));
  if (bound.any.sa_family == AF_INET) return ntohs(bound.v4.sin_port);
  if (bound.any.sa_family == AF_INET6) return ntohs(bound.v6.sin6_port);
  return failure(ErrorCode::kInvalidArgument, "not a TCP socket");
}

struct Server::State {
  State(asio::any_io_executor executor_, Site site, ServerLimits limits)
      : executor(std::move(executor_)),
        shared(std::make_shared<Shared>(executor, std::move(site), limits)),
        sweep_timer(executor) {}

  void close_acceptors() {
    for (auto& acceptor : acceptors) {
      boost::system::error_code ignored;
      acceptor->close(ignored);
    }
  }

  asio::any_io_executor executor;
  std::shared_ptr<Shared> shared;
  std::vector<std::unique_ptr<asio::ip::tcp::acceptor>> acceptors;
  asio::steady_timer sweep_timer;
  bool sweeping = false;
};

Server::Server(asio::any_io_executor executor, Site site, ServerLimits limits)
    : state_(std::make_shared<State>(std::move(executor), std::move(site), limits)) {
  state_->shared->date_line = make_date_line();
}

Server::~Server() {
  state_->close_acceptors();
  state_->sweep_timer.cancel();
  for (Connection* connection : state_->shared->connections) connection->close();
}

std::size_t Server::connections() const { return state_->shared->connections.size(); }

Result<void> Server::serve(Fd listener) {
  Address bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(listener.get(), &bound.any, &size) != 0) return failure(Error::from_errno("name of a socket"));
  auto acceptor = std::make_unique<asio::ip::tcp::acceptor>(state_->executor);
  boost::system::error_code error;
  acceptor->assign(bound.any.sa_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), listener.get(), error);
  if (error) return failure(ErrorCode::kIo, "serve a listening socket: " + error.message());
  std::move(listener).release();
  state_->acceptors.push_back(std::move(acceptor));
  asio::co_spawn(state_->executor, accept_loop(state_, state_->acceptors.size() - 1), asio::detached);
  return {};
}

asio::awaitable<void> Server::accept_loop(std::shared_ptr<State> state, std::size_t index) {
  asio::ip::tcp::acceptor& acceptor = *state->acceptors[index];
  Shared& shared = *state->shared;
  asio::steady_timer pause(state->executor);
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kTuple);
    if (error == asio::error::operation_aborted || !acceptor.is_open()) co_return;
    if (error) {
      // Out of descriptors or memory, or a peer that left before it was accepted: the next may do better.
      spdlog::warn("accept: {}", error.message());
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(kTuple);
      continue;
    }
    const std::size_t now = shared.connections.size();
    if (shared.stopping || now >= shared.limits.connections_max + kOverLimitMax) continue;
    if (!state->sweeping) {
      state->sweeping = true;
      shared.date_line = make_date_line();
      asio::co_spawn(state->executor, sweep_loop(state), asio::detached);
    }
    const auto admission =
        now < shared.limits.connections_max ? Connection::Admission::kWelcome : Connection::Admission::kOverLimit;
    auto connection = std::make_unique<Connection>(std::move(socket), state->shared, admission);
    asio::co_spawn(state->executor, Connection::run(std::move(connection)), asio::detached);
  }
}

asio::awaitable<void> Server::sweep_loop(std::shared_ptr<State> state) {
  Shared& shared = *state->shared;
  do {
    state->sweep_timer.expires_after(shared.limits.sweep_every);
    const auto [error] = co_await state->sweep_timer.async_wait(kTuple);
    if (error) break;
    ++shared.sweeps;
    shared.date_line = make_date_line();
    for (Connection* connection : shared.connections) connection->sweep();
  } while (!shared.connections.empty());
  state->sweeping = false;
}

asio::awaitable<void> Server::stop(std::chrono::milliseconds patience) {
  const auto state = state_;
  Shared& shared = *state->shared;
  state->close_acceptors();
  shared.stopping = true;
  for (Connection* connection : shared.connections) connection->stop_when_idle();
  if (!shared.connections.empty()) {
    shared.all_closed.expires_after(patience);
    co_await shared.all_closed.async_wait(kTuple);
  }
  for (Connection* connection : shared.connections) connection->close();
  // What is left now are handlers that have nobody to answer; they end with what they wait for.
  if (!shared.connections.empty()) {
    shared.all_closed.expires_after(std::chrono::seconds(1));
    co_await shared.all_closed.async_wait(kTuple);
  }
  state->sweep_timer.cancel();
}

}  // namespace ogni::http
