// The Runtime API's endpoint on a real socket, before a host that a test scripts.
#include "service/runtime_api/endpoint.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <future>
#include <mutex>
#include <span>
#include <thread>

#include "protocol/limits.h"

namespace ogni::service {
namespace {

class ScriptedHost : public RuntimeHost {
 public:
  void next(const std::shared_ptr<NextWaiter>& waiter) override {
    ++polls;
    waiters.push_back(waiter);
  }
  std::optional<runtime_api::ApiError> begin_answer(const AnswerHead& head) override {
    if (head.request_id != "current") return runtime_api::invalid_request_id();
    return std::nullopt;
  }
  void finish_answer(AnswerKind kind, AnswerBody body) override {
    kinds.push_back(kind);
    bodies.push_back(std::move(body.bytes));
    failures.push_back(std::move(body.failure));
  }
  void oversized_answer() override { ++oversized; }
  void broken_answer() override { ++broken; }
  std::optional<runtime_api::ApiError> begin_init_error(std::string_view error_type) override {
    init_errors.emplace_back(error_type);
    return init_refusal;
  }
  void finish_init_error(std::string body) override { bodies.push_back(std::move(body)); }

  int polls = 0;
  int oversized = 0;
  int broken = 0;
  std::deque<std::shared_ptr<NextWaiter>> waiters;
  std::vector<std::string> init_errors;  // their types
  std::optional<runtime_api::ApiError> init_refusal;
  std::vector<AnswerKind> kinds;
  std::vector<std::string> bodies;
  std::vector<std::optional<StreamFailure>> failures;
};

// A blocking client, as a runtime is.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;  // the server may have closed: that is what some tests want
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // One response: its head and as much body as Content-Length says. Empty at the end of the connection.
  std::string receive() {
    std::size_t wanted = std::string::npos;
    while (received_.size() < wanted) {
      const std::size_t end = received_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const std::size_t length = received_.find("Content-Length: ");
        wanted = end + 4 + (length < end ? std::stoul(received_.substr(length + 16)) : 0);
        if (received_.size() >= wanted) break;
      }
      char bytes[65536];
      const ssize_t count = ::recv(socket_.get(), bytes, sizeof bytes, 0);
      if (count <= 0) return {};
      received_.append(bytes, static_cast<std::size_t>(count));
    }
    std::string response = received_.substr(0, wanted);
    received_.erase(0, wanted);
    return response;
  }
  void finish_sending() { ::shutdown(socket_.get(), SHUT_WR); }
  void leave() { socket_.reset(); }

 private:
  Fd socket_;
  std::string received_;
};

class EndpointTest : public ::testing::Test {
 protected:
  explicit EndpointTest(WorkShare::Clock::duration refill_every = WorkShare::kRefillEvery,
                        WorkShare::Clock::duration pace = Turns::kPace)
      : turns_(std::make_shared<Turns>(context_.get_executor(), refill_every, pace)) {
    Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener.get(), 128), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    EXPECT_TRUE(endpoint_->start(std::move(listener), host_));
    thread_ = std::jthread([this] { context_.run(); });
  }
  ~EndpointTest() override {
    on_reactor([this] { endpoint_->stop(); });
    thread_.join();
  }

  template <typename F>
  std::invoke_result_t<F&> on_reactor(F function) {
    std::packaged_task<std::invoke_result_t<F&>()> task(std::move(function));
    auto result = task.get_future();
    boost::asio::post(context_, [&task] { task(); });
    return result.get();
  }
  void wait_for_polls(int polls) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (on_reactor([this] { return host_->polls; }) < polls) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  void give_event(std::string headers, std::shared_ptr<std::string> payload) {
    on_reactor([&] {
      auto waiter = host_->waiters.back();
      host_->waiters.pop_back();
      waiter->outcome.set(NextEvent{.headers = headers, .payload = *payload, .owner = payload});
    });
  }

  boost::asio::io_context context_{1};
  std::shared_ptr<ScriptedHost> host_ = std::make_shared<ScriptedHost>();
  std::shared_ptr<Turns> turns_;
  std::shared_ptr<Turns::Member> member_ = turns_->join();
  std::shared_ptr<BodyRoom> room_ = std::make_shared<BodyRoom>();
  std::shared_ptr<RuntimeEndpoint> endpoint_ =
      std::make_shared<RuntimeEndpoint>(context_.get_executor(), member_, room_->make_holder());
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

// What the reactor does for a request, in units: connections have been paid for by then.
class EndpointCostTest : public EndpointTest {
 protected:
  // No share comes with time.
  EndpointCostTest() : EndpointTest(std::chrono::hours(1000)) {}
  // Of a request that is answered.
  int cost_of(std::string_view request) {
    const int before = on_reactor([this] { return member_->left(); });
    client_.send(request);
    EXPECT_FALSE(client_.receive().empty());
    return before - on_reactor([this] { return member_->left(); });
  }
  static std::string ping(std::string_view fields) {
    return "GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n";
  }
  Client client_{port_};
};

constexpr std::string_view kNext = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";

std::string answer(std::string_view id, std::string_view verb, std::string_view body, std::string_view headers = {}) {
  std::string text = "POST /2018-06-01/runtime/invocation/";
  text += id;
  text += "/";
  text += verb;
  text += " HTTP/1.1\r\nHost: x\r\n";
  text += headers;
  text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  text += body;
  return text;
}

TEST_F(EndpointTest, HoldsAPollUntilThereIsAnEvent) {
  Client client(port_);
  client.send(kNext);
  wait_for_polls(1);
  give_event("Lambda-Runtime-Aws-Request-Id: r1\r\n", std::make_shared<std::string>("{\"a\":1}"));
  EXPECT_EQ(client.receive(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nOgni-Runtime-Pipelining: 1\r\n"
            "Lambda-Runtime-Aws-Request-Id: r1\r\n"
            "Content-Length: 7\r\n\r\n{\"a\":1}");
}

TEST_F(EndpointTest, AcceptsAResponseHoweverItsBytesAreSplit) {
  const std::string request = answer("current", "response", "\"hello\"");
  Client client(port_);
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    client.send(request.substr(0, cut));
    on_reactor([] { return 0; });
    client.send(request.substr(cut));
    EXPECT_EQ(
        client.receive(),
        "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n");
  }
  on_reactor([&] {
    EXPECT_EQ(host_->bodies.size(), request.size() + 1);
    for (const auto& body : host_->bodies) EXPECT_EQ(body, "\"hello\"");
    return 0;
  });
}

// What the header of the event promises.
TEST_F(EndpointTest, TakesTheNextPollBehindAnAnswerHoweverTheirBytesAreSplit) {
  const std::string request = answer("current", "response", "\"hello\"") + std::string(kNext);
  Client client(port_);
  for (std::size_t cut = 1; cut <= request.size(); ++cut) {
    client.send(request.substr(0, cut));
    on_reactor([] { return 0; });
    client.send(request.substr(cut));
    ASSERT_TRUE(client.receive().starts_with("HTTP/1.1 202")) << "before there is an event";
    wait_for_polls(static_cast<int>(cut));
    give_event({}, std::make_shared<std::string>(std::to_string(cut)));
    ASSERT_TRUE(client.receive().ends_with("\r\n\r\n" + std::to_string(cut)));
  }
  on_reactor([&] {
    EXPECT_EQ(host_->bodies.size(), request.size());
    for (const auto& body : host_->bodies) EXPECT_EQ(body, "\"hello\"");
    return 0;
  });
}

TEST_F(EndpointTest, TakesTheNextPollBehindAnAnswerThatIsRefused) {
  const std::string refused[] = {
      answer("other", "response", std::string(100'000, 'x')), answer("other", "error", ""),
      answer("current", "response", std::string(protocol::limits::kPayloadBytesMax + 1, 'x'))};
  Client client(port_);
  int polls = 0;
  for (const std::string& request : refused) {
    client.send(request + std::string(kNext));
    ASSERT_TRUE(client.receive().starts_with(polls < 2 ? "HTTP/1.1 400" : "HTTP/1.1 413"));
    wait_for_polls(++polls);
    give_event({}, std::make_shared<std::string>("{}"));
    ASSERT_TRUE(client.receive().starts_with("HTTP/1.1 200"));
  }
  on_reactor([&] {
    EXPECT_EQ(host_->oversized, 1) << "and the caller has been told";
    return 0;
  });
}

TEST_F(EndpointTest, AcceptsAChunkedResponse) {
  Client client(port_);
  client.send(
      "POST /2018-06-01/runtime/invocation/current/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
  on_reactor([&] {
    EXPECT_EQ(host_->bodies, (std::vector<std::string>{"abcde"}));
    return 0;
  });
}

std::string stream_of(std::string_view chunks, std::string_view trailers, std::string_view id = "current") {
  std::string text = "POST /2018-06-01/runtime/invocation/";
  text.append(id).append("/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n");
  text += "Lambda-Runtime-Function-Response-Mode: streaming\r\n";
  text += "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n";
  return text.append(chunks).append("0\r\n").append(trailers).append("\r\n");
}

TEST_F(EndpointTest, TellsOfAStreamThatFailedMidwayHoweverItsBytesAreSplit) {
  const std::string request = stream_of("3\r\nabc\r\n",
                                        "lambda-runtime-function-error-type: Function.Broke\r\n"
                                        "LAMBDA-RUNTIME-FUNCTION-ERROR-BODY: eyJhIjoxfQ==\r\n");
  Client client(port_);
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    client.send(request.substr(0, cut));
    on_reactor([] { return 0; });
    client.send(request.substr(cut));
    ASSERT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
  }
  on_reactor([&] {
    EXPECT_EQ(host_->failures.size(), request.size() + 1);
    for (const auto& failure : host_->failures) {
      EXPECT_TRUE(failure);
      if (!failure) return;
      EXPECT_EQ(failure->error_type, "Function.Broke");
      EXPECT_EQ(failure->error_body, "eyJhIjoxfQ==");
    }
  });
}

TEST_F(EndpointTest, TakesAnErrorFromTheTrailersOnly) {
  struct Case {
    std::string request;
    std::optional<std::string> type;
    std::string body;
  };
  const std::string header = "Lambda-Runtime-Function-Error-Type: Function.InTheHead\r\n";
  const Case cases[] = {
      {.request = stream_of("1\r\na\r\n", ""), .type = std::nullopt, .body = {}},
      {.request =
           stream_of("1\r\na\r\n", "Lambda-Runtime-Function-Error-Type:\r\nLambda-Runtime-Function-Error-Body: \r\n"),
       .type = std::nullopt,
       .body = {}},
      {.request = stream_of("", "X-Other: 1\r\n"), .type = std::nullopt, .body = {}},
      {.request = stream_of("", "Lambda-Runtime-Function-Error-Type: A\r\n"), .type = "A", .body = {}},
      {.request = stream_of("", "Lambda-Runtime-Function-Error-Body: eyJ9\r\n"), .type = "", .body = "eyJ9"},
      {.request = answer("current", "response", "a", header), .type = std::nullopt, .body = {}},
  };
  Client client(port_);
  for (const Case& one : cases) {
    client.send(one.request);
    ASSERT_TRUE(client.receive().starts_with("HTTP/1.1 202")) << one.request;
    const auto failure = on_reactor([&] { return host_->failures.back(); });
    EXPECT_EQ(failure ? std::optional(failure->error_type) : std::nullopt, one.type) << one.request;
    EXPECT_EQ(failure ? failure->error_body : "", one.body) << one.request;
  }
}

TEST_F(EndpointTest, TellsOfAStreamThatBreaksOffOrWhoseTrailersAreNotHttp) {
  for (const std::string_view end : {"3\r\nab", "3\r\nabcXX\r\n", "zz\r\n", "0\r\nno field\r\n\r\n"}) {
    const int before = on_reactor([this] { return host_->broken; });
    std::string request = stream_of("3\r\nabc\r\n", "");
    request.resize(request.size() - 5);
    Client client(port_);
    client.send(request + std::string(end));
    client.finish_sending();
    EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 400")) << end;
    EXPECT_EQ(on_reactor([this] { return host_->broken; }), before + 1) << end;
  }
}

TEST_F(EndpointTest, AnswersATooLargeStreamWith413AndKeepsTheConnection) {
  std::string chunks;
  for (int i = 0; i < 7; ++i) chunks += "100000\r\n" + std::string(1 << 20, 'x') + "\r\n";
  Client client(port_);
  client.send(stream_of(chunks, "Lambda-Runtime-Function-Error-Type: A\r\n") + std::string(kNext));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 413"));
  wait_for_polls(1);
  give_event({}, std::make_shared<std::string>("{}"));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 200")) << "the poll behind it is found";
  EXPECT_EQ(on_reactor([&] { return host_->oversized; }), 1);
}

TEST_F(EndpointTest, TellsAPeerThatWaitsToGoOn) {
  Client client(port_);
  client.send(
      "POST /2018-06-01/runtime/invocation/current/error HTTP/1.1\r\nHost: x\r\nExpect: "
      "100-continue\r\nContent-Length: "
      "2\r\n\r\n");
  EXPECT_EQ(client.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("{}");
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
  on_reactor([&] {
    EXPECT_EQ(host_->kinds, (std::vector<AnswerKind>{AnswerKind::kError}));
    return 0;
  });
}

// Whoever uses up its share waits until its connection is closed.
class EndpointWithoutTurnsTest : public EndpointTest {
 protected:
  EndpointWithoutTurnsTest() : EndpointTest(std::chrono::hours(1000), std::chrono::hours(1000)) {
    on_reactor([this] { timer_.async_wait([this](const boost::system::error_code& error) { overdue(!error); }); });
  }
  ~EndpointWithoutTurnsTest() override {
    on_reactor([this] { timer_.cancel(); });
  }
  // One event, and its answer in `pieces`.
  void invoke(Client& client, std::span<const std::string_view> pieces) {
    if (HasFatalFailure()) return;
    client.send(kNext);
    wait_for_polls(++polls_);
    if (HasFatalFailure()) return;
    give_event("Lambda-Runtime-Aws-Request-Id: r1\r\n", std::make_shared<std::string>("{}"));
    ASSERT_TRUE(client.receive().starts_with("HTTP/1.1 200"));
    for (const std::string_view piece : pieces) client.send(piece);
    ASSERT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
  }

 private:
  // Closes every connection, so that a test which waits for a turn fails, and does not hang.
  void overdue(bool is_overdue) {
    if (is_overdue) endpoint_->stop();
  }
  int polls_ = 0;
  boost::asio::steady_timer timer_{context_, std::chrono::seconds(60)};
};

TEST_F(EndpointWithoutTurnsTest, WhoOnlyAnswersInvocationsNeverWaitsForATurn) {
  const std::string small = answer("current", "response", "{}");
  const std::string large = answer("current", "response", std::string(1 << 20, 'x'));
  const std::string largest = answer("current", "response", std::string(protocol::limits::kPayloadBytesMax, 'x'));
  const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
  std::string chunks;
  for (int i = 0; i < 64; ++i) chunks += chunk;
  const std::string streamed = stream_of(chunks, "");
  const std::size_t head = small.find("{}");
  Client client(port_);
  for (int i = 0; i < 500; ++i) {
    invoke(client, std::array<std::string_view, 1>{small});
    invoke(client, std::array<std::string_view, 2>{std::string_view(small).substr(0, head), "{}"});
  }
  for (int i = 0; i < 100; ++i) {
    Client fresh(port_);
    invoke(fresh, std::array<std::string_view, 1>{small});
  }
  for (int i = 0; i < 20; ++i) invoke(client, std::array<std::string_view, 1>{large});
  for (int i = 0; i < 5; ++i) invoke(client, std::array<std::string_view, 1>{largest});
  for (int i = 0; i < 20; ++i) invoke(client, std::array<std::string_view, 1>{streamed});
}

TEST_F(EndpointTest, RefusesAForeignRequestIdAndKeepsTheConnection) {
  Client client(port_);
  client.send(answer("other", "response", std::string(100'000, 'x')));
  const std::string refused = client.receive();
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 400")) << refused;
  EXPECT_TRUE(refused.ends_with("{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n"))
      << refused;
  client.send(answer("current", "response", "ok"));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
}

TEST_F(EndpointTest, AnswersATooLargeResponseWith413AndKeepsTheConnection) {
  Client client(port_);
  client.send(answer("current", "response", std::string(protocol::limits::kPayloadBytesMax + 1, 'x')));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 413"));
  client.send(answer("current", "response", std::string(protocol::limits::kPayloadBytesMax, 'x')));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
  EXPECT_EQ(on_reactor([&] { return host_->oversized; }), 1);
}

TEST_F(EndpointTest, RefusesAChunkedAnswerAndKeepsTheConnection) {
  Client client(port_);
  client.send(
      "POST /2018-06-01/runtime/invocation/other/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\n");
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 400"));
  client.send(answer("current", "response", "ok"));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
}

TEST_F(EndpointTest, RefusesAnAnswerThatWaitsForAWordBeforeItsBody) {
  Client client(port_);
  client.send(
      "POST /2018-06-01/runtime/invocation/other/response HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
      "Content-Length: 5\r\n\r\n");
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 400"));
}

TEST_F(EndpointTest, EndsAChunkHeadThatNeverEnds) {
  Client client(port_);
  client.send("POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;");
  for (int i = 0; i < 100; ++i) client.send(std::string(10'000, 'a'));
  EXPECT_EQ(client.receive(), "");
}

TEST_F(EndpointTest, TellsOfAnAnswerThatBreaksOff) {
  Client client(port_);
  client.send(
      "POST /2018-06-01/runtime/invocation/current/response HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
  on_reactor([] { return 0; });
  client.leave();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (on_reactor([this] { return host_->broken; }) == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
}

TEST_F(EndpointTest, CountsWhatHasComeOfABodyAndGivesItBack) {
  constexpr std::size_t kHalf = 3 << 20;
  Client client(port_);
  client.send("POST /2018-06-01/runtime/invocation/current/response HTTP/1.1\r\nHost: x\r\nContent-Length: " +
              std::to_string(2 * kHalf) + "\r\n\r\n" + std::string(kHalf, 'x'));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const auto held = [this] { return on_reactor([this] { return room_->held(); }); };
  while (held() < kHalf - BodyRoom::kFreeBytes) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
  EXPECT_LE(held(), kHalf) << "not what is still to come";
  client.send(std::string(kHalf, 'x'));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
  client.send("GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive().ends_with("pong"));
  EXPECT_EQ(held(), 0U);
}

TEST_F(EndpointTest, CountsHeadsAndForgetsThoseOfConnectionsThatEnd) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Client>(port_));
    clients.back()->send("GET /2018-06-01/ping HTTP/1.1\r\nX: " + std::string(800'000, 'x'));
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (on_reactor([this] { return room_->held(); }) < 4 * 700'000U) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
  on_reactor([&] { endpoint_->close_connections(); });
  for (const auto& client : clients) EXPECT_EQ(client->receive(), "");
  while (on_reactor([this] { return room_->held(); }) > 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
}

TEST_F(EndpointTest, TakesAnErrorOfInitialisationAndKeepsTheConnection) {
  const auto post = [](std::string_view body) {
    return "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\nLambda-Runtime-Function-Error-Type: My.Type\r\n"
           "Content-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  };
  Client client(port_);
  client.send(post("{\"errorType\":\"My.Type\"}"));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
  client.send("POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202")) << "without a body";
  client.send(post(std::string(protocol::limits::kPayloadBytesMax + 1, 'x')));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 413"));
  on_reactor([this] { host_->init_refusal = runtime_api::internal_error(); });
  client.send(post("{}"));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 500"));
  on_reactor([&] {
    EXPECT_EQ(host_->init_errors, (std::vector<std::string>{"My.Type", "", "My.Type", "My.Type"}));
    EXPECT_EQ(host_->bodies, (std::vector<std::string>{"{\"errorType\":\"My.Type\"}", ""}));
    return 0;
  });
}

// The type that came with its head stays; half of a body is no error to tell a caller.
TEST_F(EndpointTest, TakesNoPartOfAnErrorOfInitialisationThatBreaksOff) {
  Client client(port_);
  client.send("POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"errorT");
  client.finish_sending();
  EXPECT_EQ(client.receive(), "");
  on_reactor([&] {
    EXPECT_EQ(host_->init_errors.size(), 1U);
    EXPECT_TRUE(host_->bodies.empty());
    return 0;
  });
}

TEST_F(EndpointTest, TakesAnAnswerWithoutABody) {
  for (const std::string_view verb : {"response", "error"}) {
    Client client(port_);
    client.send("POST /2018-06-01/runtime/invocation/current/" + std::string(verb) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
  }
  on_reactor([&] {
    EXPECT_EQ(host_->kinds, (std::vector<AnswerKind>{AnswerKind::kResponse, AnswerKind::kError}));
    EXPECT_EQ(host_->bodies, (std::vector<std::string>{"", ""}));
    return 0;
  });
}

TEST_F(EndpointTest, TellsAPollThatIsRefusedAndKeepsTheConnection) {
  Client client(port_);
  client.send(kNext);
  wait_for_polls(1);
  on_reactor([this] { host_->waiters.back()->outcome.set(runtime_api::internal_error()); });
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 500"));
  client.send(kNext);
  wait_for_polls(2);
  give_event("", std::make_shared<std::string>("{}"));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 200"));
}

// It does not fit the socket's buffer, and the peer takes its time.
TEST_F(EndpointTest, SendsALargeEventToAPeerThatReadsLate) {
  const auto payload = std::make_shared<std::string>(protocol::limits::kPayloadBytesMax, 'e');
  for (std::size_t i = 0; i < payload->size(); ++i) (*payload)[i] = static_cast<char>('a' + (i + i / 251) % 26);
  Client client(port_);
  client.send(kNext);
  wait_for_polls(1);
  give_event("", payload);
  const std::string response = client.receive();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(response.ends_with("\r\n\r\n" + *payload));
  client.send(answer("current", "response", "ok"));
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202"));
}

TEST_F(EndpointTest, GivesUpAPeerThatLeavesInTheMiddleOfALargeEvent) {
  Client client(port_);
  client.send(kNext);
  wait_for_polls(1);
  const auto payload = std::make_shared<std::string>(protocol::limits::kPayloadBytesMax, 'e');
  give_event("", payload);
  client.leave();
  Client after(port_);
  after.send("GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(after.receive().ends_with("pong"));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (payload.use_count() > 1) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the event is still held";
    std::this_thread::yield();
  }
}

// As a client of HTTP/1.0 does, and one that says so.
TEST_F(EndpointTest, ClosesBehindAnAnswerWhereThePeerAsksForIt) {
  for (const std::string_view version : {"1.0\r\n", "1.1\r\nHost: x\r\nConnection: close\r\n"}) {
    Client client(port_);
    client.send("POST /2018-06-01/runtime/invocation/current/response HTTP/" + std::string(version) +
                "Content-Length: 2\r\n\r\nok");
    EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 202")) << version;
    EXPECT_EQ(client.receive(), "") << version;
  }
}

// A head of so many fields was charged as if it were bytes to copy, and beside a flood of them others waited 80 times as
// long as alone.
TEST_F(EndpointCostTest, EachFieldOfAHeadIsWork) {
  std::string fields;
  for (int i = 0; i < 200; ++i) fields += "a:\r\n";
  cost_of(ping(""));  // and the connection's
  const int few = cost_of(ping(""));
  EXPECT_GE(cost_of(ping(fields)), few + 400);
}

TEST_F(EndpointCostTest, ALargeHeadIsWork) {
  const std::string large(500'000, 'x');
  // Turns that it waited for meanwhile are less than it costs: those come when the share is used up.
  client_.send(ping("X: " + large + "\r\n"));
  EXPECT_FALSE(client_.receive().empty());
  EXPECT_LE(on_reactor([this] { return member_->left(); }), -6000);
}

TEST_F(EndpointCostTest, AnswersThatTakeNoInvocationFurtherCostMoreThanOthers) {
  client_.send(answer("current", "response", "{}"));
  ASSERT_TRUE(client_.receive().starts_with("HTTP/1.1 202"));
  const int accepted = cost_of(answer("current", "response", "{}"));
  EXPECT_LE(accepted, 64) << "a function that answers often has a share of its own for it";
  for (const std::string& useless :
       {ping(""), answer("another", "response", "{}"), std::string("GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n")}) {
    EXPECT_GE(cost_of(useless), accepted + 64) << useless;
  }
}

// Nothing that a peer sends comes back as bytes that are no UTF-8, or no JSON.
TEST_F(EndpointTest, ErrorsDoNotRepeatWhatWasSent) {
  const std::string_view bad = "by\xff\xc3\x28\"";
  const std::string text(bad);
  const std::string requests[] = {
      answer(text, "response", "x"),
      answer(text, "error", "x"),
      answer("by%ff", text, "x"),
      answer("other", "error", "x", "Lambda-Runtime-Function-Error-Type: " + text + "\r\n"),
      answer("other", "response", "x", "Lambda-Runtime-Function-Response-Mode: " + text + "\r\n"),
      "GET /" + text + " HTTP/1.1\r\nHost: x\r\n\r\n",
      text + "\r\n\r\n"};
  for (const std::string& request : requests) {
    Client client(port_);
    client.send(request);
    const std::string response = client.receive();
    EXPECT_TRUE(response.starts_with("HTTP/1.1 40")) << response;
    EXPECT_TRUE(std::ranges::all_of(response, [](unsigned char c) { return c < 0x80; })) << response;
    EXPECT_EQ(response.find("by"), std::string::npos) << response;
  }
}

TEST_F(EndpointTest, KnowsItsRoutes) {
  Client client(port_);
  client.send("GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive().ends_with("\r\n\r\npong"));
  client.send("GET /2018-06-01/nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 404"));
  client.send("POST /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 405"));
  client.send("GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 404"));
}

TEST_F(EndpointTest, AnswersWhatIsNotHttpAndCloses) {
  Client client(port_);
  client.send("this is not HTTP\r\n\r\n");
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 400"));
  EXPECT_EQ(client.receive(), "");
}

TEST_F(EndpointTest, ForgetsPollsWhosePeerHasLeft) {
  // More than the endpoint holds at once, each giving up its poll as `curl --max-time` does.
  for (int i = 0; i < 3 * static_cast<int>(RuntimeEndpoint::kConnectionsMax); ++i) {
    Client client(port_);
    client.send(kNext);
    wait_for_polls(i + 1);
    client.leave();
  }
  Client client(port_);
  client.send("GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive().ends_with("pong"));
  on_reactor([&] {
    const auto abandoned = std::ranges::count_if(host_->waiters, [](const auto& waiter) { return waiter->abandoned; });
    EXPECT_GE(abandoned, 2 * static_cast<int>(RuntimeEndpoint::kConnectionsMax));
    return 0;
  });
}

TEST_F(EndpointTest, HasNoMoreThanItsConnections) {
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < RuntimeEndpoint::kConnectionsMax; ++i) {
    clients.push_back(std::make_unique<Client>(port_));
    clients.back()->send(kNext);
  }
  wait_for_polls(static_cast<int>(RuntimeEndpoint::kConnectionsMax));
  Client one_more(port_);
  one_more.send("GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(one_more.receive(), "");
}

TEST_F(EndpointTest, DropsWhatAnEndedProgramLeftBehind) {
  Client waiting(port_);
  waiting.send(kNext);
  wait_for_polls(1);
  on_reactor([&] { endpoint_->close_connections(); });
  EXPECT_EQ(waiting.receive(), "");
  Client after(port_);
  after.send("GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(after.receive().ends_with("pong"));
}

}  // namespace
}  // namespace ogni::service
