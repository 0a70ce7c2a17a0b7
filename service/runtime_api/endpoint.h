// The Runtime API of one execution environment: HTTP on the listening socket that was opened inside the sandbox.
//
// Speaks HTTP, routes, bounds, and leaves every decision to a RuntimeHost. The peer is untrusted function code: at most
// kConnectionsMax connections, bounded heads and bodies, no wait that holds anything but its own connection.
// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API"; version 2018-06-01.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/fd.h"
#include "base/result.h"
#include "service/runtime_api/body_room.h"
#include "service/runtime_api/runtime_host.h"
#include "service/turns.h"

namespace ogni::service {

class RuntimeEndpoint : public std::enable_shared_from_this<RuntimeEndpoint> {
 public:
  static constexpr std::size_t kConnectionsMax = 64;
  static constexpr std::size_t kHeadBytesMax = 1 << 20;  // a client context and an X-Ray cause travel in headers

  // `host` is told of calls; the endpoint's coroutines keep it alive.
  // What its peers make it do is charged to `turns`, what they send is kept within `room`.
  RuntimeEndpoint(boost::asio::any_io_executor executor, std::shared_ptr<Turns::Member> turns,
                  std::shared_ptr<BodyRoom::Holder> room)
      : acceptor_(std::move(executor)), turns_(std::move(turns)), room_(std::move(room)) {}

  // Begins to accept on `socket`, which listens already. Errors: kIo.
  [[nodiscard]] Result<void> start(Fd socket, std::weak_ptr<RuntimeHost> host);
  // The program ended: its connections are closed, those it left in the accept queue too. Goes on accepting.
  void close_connections();
  // No more accepting either.
  void stop();

 private:
  class Connection;
  boost::asio::awaitable<void> accept_loop();
  void sweep_abandoned();

  boost::asio::ip::tcp::acceptor acceptor_;
  std::shared_ptr<Turns::Member> turns_;
  std::shared_ptr<BodyRoom::Holder> room_;
  std::weak_ptr<RuntimeHost> host_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
};

}  // namespace ogni::service
