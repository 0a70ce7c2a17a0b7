#include "cli/http_client.h"

#include <gtest/gtest.h>

#include <mutex>

#include "cli/scripted_server.h"

namespace ogni::cli {
namespace {

using namespace std::chrono_literals;

Endpoint endpoint_of(const ScriptedServer& server) { return parse_endpoint(server.url()).value(); }

TEST(HttpClient, KeepsOneConnectionForManyRequests) {
  ScriptedServer server([](const SeenRequest& r) { return ScriptedReply{.body = r.body}; });
  HttpClient client(endpoint_of(server));
  const std::string large(3 << 20, 'x');
  for (const std::string& body : {std::string("a"), large, std::string()}) {
    auto response = client.send({.method = "POST", .target = "/x", .headers = {}, .body = body});
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_EQ(response->body, body);
  }
  ASSERT_EQ(server.seen().size(), 3U);
  EXPECT_EQ(server.seen()[2].connection, 1);
  EXPECT_EQ(server.seen()[0].header("host"), endpoint_of(server).authority());
  EXPECT_EQ(server.seen()[2].header("content-length"), "0");
}

TEST(HttpClient, OpensANewConnectionWhenTheOldOneWasClosed) {
  ScriptedServer server([](const SeenRequest&) { return ScriptedReply{.body = "ok", .closes = true}; });
  HttpClient client(endpoint_of(server));
  // Whether the close has arrived by the second request is the network's affair: a request may be lost, never doubled.
  int answered = 0;
  for (int i = 0; i < 5; ++i) {
    if (client.send({.method = "POST", .target = "/x"})) ++answered;
  }
  EXPECT_GE(answered, 2);
  EXPECT_LE(server.seen().size(), 5U);
}

TEST(HttpClient, SaysThatNobodyIsThereAndWhatToDo) {
  Endpoint endpoint;
  {
    const ScriptedServer server([](const SeenRequest&) { return ScriptedReply{}; });
    endpoint = endpoint_of(server);
  }
  auto refused = HttpClient(endpoint).send({});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(refused.error().message(),
            "no Ogni at " + endpoint.url() + ": connection refused. Start it with: ogni serve");
}

TEST(HttpClient, GivesUpAtItsDeadline) {
  ScriptedServer server(
      [](const SeenRequest&) { return ScriptedReply{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}; });
  auto broken = HttpClient(endpoint_of(server)).send({});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code(), ErrorCode::kUnavailable) << broken.error().message();

  // Accepts, and never says a word: the kernel's backlog takes the second connection while the first is served.
  std::mutex held;
  held.lock();
  ScriptedServer silent([&held](const SeenRequest&) {
    const std::lock_guard wait(held);
    return ScriptedReply{};
  });
  auto late = HttpClient(endpoint_of(silent), {.connect = 1s, .exchange = 50ms}).send({});
  held.unlock();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kTimedOut) << late.error().message();
}

TEST(HttpClient, RefusesWhatIsNotHttpOrTooLarge) {
  for (const char* raw :
       {"SSH-2.0-OpenSSH_9.2\r\nProtocol mismatch.\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "\0\0\0\0"}) {
    ScriptedServer server([raw](const SeenRequest&) {
      return ScriptedReply{.raw = raw[0] ? raw : "\x01\x02 is not HTTP at all\r\n\r\n"};
    });
    auto response = HttpClient(endpoint_of(server)).send({});
    ASSERT_FALSE(response) << raw;
    EXPECT_EQ(response.error().code(), ErrorCode::kIo) << raw << ": " << response.error().message();
  }
  ScriptedServer endless([](const SeenRequest&) {
    return ScriptedReply{.raw = "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n"};
  });
  EXPECT_FALSE(HttpClient(endpoint_of(endless)).send({}));
}

TEST(HttpClient, StreamsPiecesUntilTheEndOrUntilToldToStop) {
  ScriptedServer server([](const SeenRequest& r) {
    if (r.target == "/none") return ScriptedReply{.status = 404, .body = "nothing here"};
    return ScriptedReply{.chunks = {"one\n", "two\n", std::string(100'000, 'x')}};
  });
  HttpClient client(endpoint_of(server));
  std::string all;
  const auto keep = [&](std::string_view piece) {
    all += piece;
    return true;
  };
  auto response = client.stream({.target = "/all"}, keep);
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(all, "one\ntwo\n" + std::string(100'000, 'x'));
  EXPECT_EQ(response->body, "");

  int pieces = 0;
  ASSERT_TRUE(client.stream({.target = "/all"}, [&](std::string_view) { return ++pieces < 1; }));
  EXPECT_EQ(pieces, 1);

  all.clear();
  auto missing = client.stream({.target = "/none"}, keep);
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(missing->body, "nothing here");
  EXPECT_EQ(all, "");
}

TEST(Endpoint, TakesHostsAddressesAndPorts) {
  EXPECT_EQ(parse_endpoint("http://localhost:8080").value().url(), "http://localhost:8080");
  EXPECT_EQ(parse_endpoint("HTTP://example.org/").value().url(), "http://example.org:80");
  EXPECT_EQ(parse_endpoint("http://[::1]:4566").value().host, "::1");
  EXPECT_EQ(parse_endpoint("http://[::1]:4566").value().authority(), "[::1]:4566");
}

TEST(Endpoint, RefusesEverythingElse) {
  for (const char* url : {"", "localhost:4566", "ftp://x", "http://", "http://h:0", "http://h:65536", "http://h:12x",
                          "http://h/path", "http://a b", "http://[::1", "http://[::1]x", "http://h\r\nX: y"}) {
    auto refused = parse_endpoint(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused.error().message().find('\n'), std::string::npos);
  }
  EXPECT_NE(parse_endpoint("https://lambda.us-east-1.amazonaws.com").error().message().find("AWS"), std::string::npos);
}

TEST(PercentEncode, LeavesOnlyUnreservedCharacters) {
  EXPECT_EQ(percent_encode("aZ09-_.~"), "aZ09-_.~");
  EXPECT_EQ(percent_encode("../a b?c#d%:$\xff"), "..%2Fa%20b%3Fc%23d%25%3A%24%FF");
}

}  // namespace
}  // namespace ogni::cli
