#include <gtest/gtest.h>

#include "service/http/server.h"
#include "service/http/testing.h"

namespace ogni::http {
namespace {

namespace asio = boost::asio;
using testing::Client;
using testing::LoopThread;

class HttpLimits : public ::testing::Test {
 protected:
  ~HttpLimits() override {
    if (server_) loop_.run([this] { server_.reset(); });
    loop_.join();
  }
  void start(ServerLimits limits) {
    router_.add({.method = Method::kPost,
                 .path = "/",
                 .query = "",
                 .operation = "Echo",
                 .body_max = 8 << 20,
                 .handler = [](Request& request) -> asio::awaitable<Response> {
                   co_return Response(200, "text/plain", std::move(request.body));
                 }});
    Fd listener = listen_tcp("127.0.0.1", 0).value();
    port_ = port_of(listener.get()).value();
    server_ = loop_.run([&] {
      return std::make_unique<Server>(loop_.loop().get_executor(),
                                      Site{.router = &router_,
                                           .guard = Guard(),
                                           .render_failure =
                                               [](const Failure& failure) {
                                                 return Response(failure.kind == Failure::Kind::kBusy ? 503 : 500,
                                                                 "text/plain", std::string(failure.reason));
                                               }},
                                      limits);
    });
    loop_.run([&] { return server_->serve(std::move(listener)); }).value();
  }

  LoopThread loop_;
  Router router_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

constexpr std::string_view kHead = "POST / HTTP/1.1\r\nHost: localhost\r\n";

TEST_F(HttpLimits, EndsConnectionsThatAreIdleOrStallInAHeadABodyOrAnAnswer) {
  using std::chrono::milliseconds;
  start({.head_max = milliseconds(30),
         .stall_max = milliseconds(30),
         .idle_max = milliseconds(30),
         .sweep_every = milliseconds(10)});
  Client idle(port_);
  Client head(port_);
  head.send("POST / HTT");
  Client body(port_);
  body.send(std::string(kHead) + "Content-Length: 100\r\n\r\nabc");
  Client chunks(port_);
  chunks.send(std::string(kHead) + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  Client again(port_);
  EXPECT_EQ(again.call("POST", "/", "x").status, 200);

  for (Client* client : {&idle, &head, &body, &chunks, &again}) EXPECT_TRUE(client->at_end());
}

TEST_F(HttpLimits, EndsAConnectionThatDoesNotReadItsAnswer) {
  using std::chrono::milliseconds;
  start({.stall_max = milliseconds(30), .sweep_every = milliseconds(10)});
  Client client(port_);
  const std::string body(8 << 20, 'x');
  // Answers that nobody reads fill the socket's buffers; then the server gives up, and writing fails.
  const std::string request = std::string(kHead) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  bool taken = true;
  for (int i = 0; i < 20 && taken; ++i) taken = client.send(request);

  EXPECT_FALSE(taken);
  EXPECT_NE(errno, EAGAIN);
}

TEST_F(HttpLimits, RefusesConnectionsBeyondTheLimit) {
  start({.connections_max = 2});
  Client first(port_);
  Client second(port_);
  EXPECT_EQ(first.call("POST", "/", "1").status, 200);
  EXPECT_EQ(second.call("POST", "/", "2").status, 200);
  {
    Client third(port_);
    const auto reply = third.call("POST", "/", "3");
    EXPECT_EQ(reply.status, 503);
    ::shutdown(third.fd(), SHUT_WR);
    EXPECT_TRUE(third.at_end());
  }
  EXPECT_EQ(first.call("POST", "/", "1").body, "1");
}

TEST_F(HttpLimits, RefusesLargeBodiesBeyondTheirCommonBudget) {
  start({.large_body_bytes_max = 5 << 20});
  Client first(port_);
  Client second(port_);
  const std::string four(4 << 20, 'x');
  // The first is known to hold its part of the budget once it is told to go on.
  first.send(std::string(kHead) + "Expect: 100-continue\r\nContent-Length: 4194304\r\n\r\n");
  EXPECT_EQ(first.receive().status, 100);

  EXPECT_EQ(second.call("POST", "/", four).status, 503);
  Client chunked(port_);
  chunked.send(std::string(kHead) + "Transfer-Encoding: chunked\r\n\r\n400000\r\n" + four + "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.receive().status, 503);
  first.send(four);
  EXPECT_EQ(first.receive().status, 200);
  EXPECT_EQ(first.call("POST", "/", four).status, 200);
}

}  // namespace
}  // namespace ogni::http
