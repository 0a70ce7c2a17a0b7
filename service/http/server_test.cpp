#include "service/http/server.h"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "service/http/testing.h"

namespace ogni::http {
namespace {

namespace asio = boost::asio;
using testing::Client;
using testing::LoopThread;
using testing::Reply;

asio::awaitable<Response> echo(Request& request) {
  Response response(200, "text/plain", std::string(request.label("Name")) + "|" + std::move(request.body));
  co_return response;
}

Response render(const Failure& failure) {
  switch (failure.kind) {
    case Failure::Kind::kMalformed:
      return {400, "text/plain", "malformed"};
    case Failure::Kind::kForbidden:
      return {403, "text/plain", std::string(failure.reason)};
    case Failure::Kind::kUnknownPath:
      return {404, "text/plain", "unknown"};
    case Failure::Kind::kWrongMethod:
      return {405, "text/plain", "method"};
    case Failure::Kind::kBodyTooLarge:
      return {413, "text/plain", failure.route->operation};
    case Failure::Kind::kHeadTooLarge:
      return {431, "text/plain", "head"};
    case Failure::Kind::kInternal:
      return {500, "text/plain", "internal"};
    case Failure::Kind::kBusy:
      return {503, "text/plain", "busy"};
  }
  return Response(500);
}

// "onetwo" in two pieces, for which the head promises more, just that, or less; or whose producer throws.
asio::awaitable<Response> stream_of_length(std::string_view path) {
  Response response(200);
  if (path == "/short") response.stream_bytes = 7;
  if (path == "/exact" || path == "/late") response.stream_bytes = 6;
  if (path == "/long") response.stream_bytes = 5;
  response.stream = [path](BodyWriter& writer) -> asio::awaitable<void> {
    EXPECT_TRUE(co_await writer.write("one"));
    if (path == "/broken") throw std::runtime_error("the source of the stream is lost");
    EXPECT_TRUE(co_await writer.write(""));
    EXPECT_EQ(co_await writer.write("two"), path != "/long");
    if (path == "/long") EXPECT_FALSE(co_await writer.write("x")) << "after a piece that was refused";
    if (path == "/late") throw std::runtime_error("the source of the stream is lost at its end");
  };
  co_return response;
}

class HttpServer : public ::testing::Test {
 protected:
  HttpServer() {
    router_.add({.method = Method::kPost,
                 .path = "/echo/{Name}",
                 .query = "",
                 .operation = "Echo",
                 .body_max = 1 << 20,
                 .handler = echo});
    router_.add({.method = Method::kGet,
                 .path = "/echo/{Name}",
                 .query = "",
                 .operation = "GetEcho",
                 .body_max = 0,
                 .handler = echo});
    router_.add({.method = Method::kPost,
                 .path = "/small",
                 .query = "",
                 .operation = "Small",
                 .body_max = 10,
                 .handler = echo});
    router_.add({.method = Method::kGet,
                 .path = "/throw",
                 .query = "",
                 .operation = "Throw",
                 .body_max = 0,
                 .handler = [](Request&) -> asio::awaitable<Response> { throw std::runtime_error("bug"); }});
    router_.add({.method = Method::kGet,
                 .path = "/count",
                 .query = "",
                 .operation = "Count",
                 .body_max = 0,
                 .handler = [](Request&) -> asio::awaitable<Response> {
                   Response response(200);
                   response.stream = [](BodyWriter& writer) -> asio::awaitable<void> {
                     for (const char* part : {"one ", "two ", "three"}) co_await writer.write(part);
                   };
                   co_return response;
                 }});
    for (const char* path : {"/short", "/exact", "/long", "/broken", "/late"}) {
      router_.add({.method = Method::kGet,
                   .path = path,
                   .query = "",
                   .operation = "Length",
                   .body_max = 0,
                   .handler = [path = std::string_view(path)](Request&) { return stream_of_length(path); }});
    }
    router_.add({.method = Method::kGet,
                 .path = "/follow",
                 .query = "",
                 .operation = "Follow",
                 .body_max = 0,
                 .handler = [this](Request&) { return follow(); }});
    router_.add({.method = Method::kGet,
                 .path = "/wait",
                 .query = "",
                 .operation = "Wait",
                 .body_max = 0,
                 .handler = [this](Request&) { return wait(); }});
  }
  ~HttpServer() override {
    if (server_) loop_.run([this] { server_.reset(); });
    loop_.join();
  }

  void start(ServerLimits limits = {}) {
    Fd listener = listen_tcp("127.0.0.1", 0).value();
    port_ = port_of(listener.get()).value();
    server_ = loop_.run([&] {
      return std::make_unique<Server>(loop_.loop().get_executor(),
                                      Site{.router = &router_, .guard = Guard(), .render_failure = render}, limits);
    });
    loop_.run([&] { return server_->serve(std::move(listener)); }).value();
  }
  asio::awaitable<Response> follow() {
    Response response(200);
    response.stream = [this](BodyWriter& writer) -> asio::awaitable<void> {
      co_await writer.write("first");
      asio::steady_timer never(loop_.loop(), asio::steady_timer::time_point::max());
      try {
        co_await never.async_wait(asio::use_awaitable);
      } catch (const boost::system::system_error&) {
        follow_ended_.set_value();
        throw;
      }
    };
    co_return response;
  }
  asio::awaitable<Response> wait() {
    waiting_.set_value();
    const auto [opened] = co_await gate_.async_wait(asio::as_tuple(asio::use_awaitable));
    EXPECT_EQ(opened, asio::error::operation_aborted);
    co_return Response(200, "text/plain", "waited");
  }
  // Polls the server's own count.
  bool connections_become(std::size_t wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < deadline) {
      if (loop_.run([this] { return server_->connections(); }) == wanted) return true;
      std::this_thread::yield();
    }
    return false;
  }
  std::future<void> stop(std::chrono::milliseconds patience) {
    return asio::co_spawn(loop_.loop(), server_->stop(patience), asio::use_future);
  }

  LoopThread loop_;
  asio::steady_timer gate_{loop_.loop(), asio::steady_timer::time_point::max()};
  std::promise<void> waiting_;
  std::promise<void> follow_ended_;
  Router router_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

TEST_F(HttpServer, AnswersManyRequestsOnOneConnection) {
  start();
  Client client(port_);

  for (int i = 0; i < 100; ++i) {
    const Reply reply = client.call("POST", "/echo/a%2Fb", std::to_string(i));
    ASSERT_EQ(reply.status, 200);
    ASSERT_EQ(reply.body, "a/b|" + std::to_string(i));
    ASSERT_EQ(reply.header("Connection"), "");
    ASSERT_NE(reply.header("Date"), "");
  }
  EXPECT_TRUE(connections_become(1));
}

TEST_F(HttpServer, AnswersARequestSplitAtEveryByte) {
  start();
  Client client(port_);
  const std::string plain = "POST /echo/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
  const std::string chunked =
      "POST /echo/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: v\r\n\r\n";

  for (const std::string& request : {plain, chunked}) {
    for (std::size_t at = 1; at < request.size(); ++at) {
      ASSERT_TRUE(client.send(std::string_view(request).substr(0, at)));
      // The first part is with the server before the second is sent: its loop has run since.
      loop_.run([] {});
      ASSERT_TRUE(client.send(std::string_view(request).substr(at)));
      ASSERT_EQ(client.receive().body, "x|hello") << "split at " << at;
    }
  }
  for (const char c : plain) ASSERT_TRUE(client.send(std::string_view(&c, 1)));
  EXPECT_EQ(client.receive().body, "x|hello");
}

TEST_F(HttpServer, AnswersPipelinedRequestsInOrder) {
  start();
  Client client(port_);
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    requests += "\r\nPOST /echo/" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n" +
                std::string(100, 'x');
  }
  ASSERT_TRUE(client.send(requests));

  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.receive().body, std::to_string(i) + "|" + std::string(100, 'x'));
}

TEST_F(HttpServer, CarriesLargeBodiesBothWays) {
  start();
  Client client(port_);
  std::string body(1 << 20, 'b');
  for (std::size_t i = 0; i < body.size(); i += 1000) body[i] = static_cast<char>(i);

  const Reply reply = client.call("POST", "/echo/n", body);

  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.body == "n|" + body);
}

TEST_F(HttpServer, SendsContinueOnlyWhenItWantsTheBody) {
  start();
  Client client(port_);
  const std::string head = " HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n";

  client.send("POST /echo/x" + head);
  EXPECT_EQ(client.receive().status, 100);
  client.send("hello world");
  EXPECT_EQ(client.receive().body, "x|hello world");
  client.send("POST /small" + head);
  const Reply refused = client.receive();
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.header("Connection"), "close");
}

TEST_F(HttpServer, AnswersTooLargeABodyAfterDrainingIt) {
  start();
  Client client(port_);
  const std::string body(8 << 20, 'x');

  // Everything is taken although the answer is known before: a client that reads only after writing gets it.
  ASSERT_TRUE(client.send("POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
                          "\r\n\r\n"));
  ASSERT_TRUE(client.send(body));

  const Reply reply = client.receive();
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.body, "Small");
  EXPECT_TRUE(client.at_end());
}

TEST_F(HttpServer, RefusesChunkedBodiesBeyondTheLimitAndBadChunks) {
  start();
  const std::string head = "POST /small HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::pair<std::string, int> cases[] = {
      {"5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n", 413},
      {"ffffffffffffffff\r\nhello", 413},
      {"xyz\r\n", 400},
      {"5\r\nhelloXX\r\n\r\n", 400},
      {"5;" + std::string(40'000, 'e'), 400},
  };
  for (const auto& [chunks, status] : cases) {
    Client client(port_);
    client.send(head + chunks);
    EXPECT_EQ(client.receive().status, status) << chunks.substr(0, 30);
    ::shutdown(client.fd(), SHUT_WR);
    EXPECT_TRUE(client.at_end());
  }
}

TEST_F(HttpServer, RefusesMalformedRequestsAndGoesOnServing) {
  start();
  const std::string big(17'000, 'h');
  const std::pair<std::string, int> cases[] = {
      {"\x16\x03\x01\x02", 400},
      {"GET\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", 400},
      {"POST /echo/x HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
      {"POST /echo/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST /echo/x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST /echo/x HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nX: " + big + "\r\n\r\n", 431},
      {"GET /" + big, 431},
  };
  for (const auto& [bytes, status] : cases) {
    Client client(port_);
    client.send(bytes);
    const Reply reply = client.receive();
    EXPECT_EQ(reply.status, status) << bytes.substr(0, 60);
    EXPECT_EQ(reply.header("Connection"), "close");
    ::shutdown(client.fd(), SHUT_WR);
    EXPECT_TRUE(client.at_end());
  }
  EXPECT_EQ(Client(port_).call("GET", "/echo/x").status, 200);
}

TEST_F(HttpServer, FindsNoRouteAndNamesTheAllowedMethods) {
  start();
  Client client(port_);

  EXPECT_EQ(client.call("GET", "/nothing").status, 404);
  EXPECT_EQ(client.call("GET", "/echo/%zz").status, 400);
  const Reply wrong = client.call("DELETE", "/echo/x");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("Allow"), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(client.call("OPTIONS", "/echo/x").status, 204);
  EXPECT_EQ(client.call("GET", "/throw").status, 500);
  // All on the same connection, and a HEAD answers without its body.
  const Reply head = client.call("HEAD", "/echo/x");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "2");
  EXPECT_EQ(client.call("GET", "/echo/x").body, "x|");
}

TEST_F(HttpServer, KeepsWebPagesOut) {
  start();
  const auto status = [this](std::string_view headers) {
    Client client(port_);
    client.send("POST /echo/x HTTP/1.1\r\n" + std::string(headers) + "Content-Length: 2\r\n\r\nhi");
    return client.receive().status;
  };

  EXPECT_EQ(status("Host: evil.example\r\n"), 403);
  EXPECT_EQ(status("Host: localhost:4566\r\nOrigin: https://evil.example\r\n"), 403);
  EXPECT_EQ(status("Host: localhost:4566\r\nOrigin: x://localhost:4566\r\n"), 403);
  EXPECT_EQ(status(""), 400);
  EXPECT_EQ(status("Host: localhost\r\nHost: localhost\r\n"), 400);
  EXPECT_EQ(status("Host: localhost:4566\r\nSec-Fetch-Site: cross-site\r\n"), 403);
  EXPECT_EQ(status("Host: localhost:4566\r\nOrigin: http://localhost:4566\r\nSec-Fetch-Site: same-origin\r\n"), 200);
}

TEST_F(HttpServer, StreamsABodyInChunks) {
  start();
  Client client(port_);

  EXPECT_EQ(client.call("GET", "/count").body, "one two three");
  EXPECT_EQ(client.call("GET", "/echo/x").body, "x|");
  Client old(port_);
  old.send("GET /count HTTP/1.0\r\n\r\n");
  while (old.receive_more()) {
  }
  EXPECT_TRUE(old.received().ends_with("\r\n\r\none two three"));
}

// The peer must not take what is cut off for the whole, nor what follows on the connection for the next answer.
TEST_F(HttpServer, ClosesTheConnectionBehindAStreamThatIsNotWhatItsHeadSays) {
  start();
  const auto all = [this](const char* path) {
    Client client(port_);
    client.send(std::string("GET ") + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (client.receive_more()) {
    }
    return client.received();
  };
  EXPECT_TRUE(all("/short").ends_with("Content-Length: 7\r\n\r\nonetwo"));
  EXPECT_TRUE(all("/long").ends_with("Content-Length: 5\r\n\r\none"));
  EXPECT_TRUE(all("/broken").ends_with("Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n"));
  EXPECT_TRUE(all("/late").ends_with("Content-Length: 6\r\n\r\nonetwo"));
  Client client(port_);
  EXPECT_EQ(client.call("GET", "/exact").body, "onetwo");
  EXPECT_EQ(client.call("GET", "/exact").body, "onetwo") << "on the same connection";
  EXPECT_TRUE(connections_become(1));
}

TEST_F(HttpServer, EndsAStreamWhenThePeerLeaves) {
  start();
  {
    Client client(port_);
    client.send("GET /follow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (client.received().find("first") == std::string::npos) ASSERT_TRUE(client.receive_more());
  }
  EXPECT_EQ(follow_ended_.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(connections_become(0));
}

TEST_F(HttpServer, StopEndsIdleConnectionsAndLetsARunningRequestFinish) {
  start();
  Client idle(port_);
  Client busy(port_);
  Client follower(port_);
  EXPECT_EQ(idle.call("GET", "/echo/x").status, 200);
  busy.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
  follower.send("GET /follow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (follower.received().find("first") == std::string::npos) ASSERT_TRUE(follower.receive_more());
  waiting_.get_future().wait();

  auto stopped = stop(std::chrono::seconds(60));

  EXPECT_TRUE(idle.at_end());
  EXPECT_EQ(follow_ended_.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_FALSE(Client(port_).connected());
  loop_.run([this] { gate_.cancel(); });
  const Reply reply = busy.receive();
  EXPECT_EQ(reply.body, "waited");
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(ListenTcp, RefusesWhatIsNoAddressAndATakenPort) {
  const Fd first = listen_tcp("127.0.0.1", 0).value();
  const auto taken = listen_tcp("127.0.0.1", port_of(first.get()).value());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), ErrorCode::kConflict);
  const auto named = listen_tcp("localhost", 0);
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace ogni::http
