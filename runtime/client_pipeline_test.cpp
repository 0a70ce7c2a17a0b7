// The answer and the next poll in one call, before a platform that takes it, or fails meanwhile.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "runtime/client.h"
#include "runtime/test_server.h"

namespace ogni::runtime {
namespace {

using Answer = Client::Answer;

constexpr std::string_view kTakesIt = "Ogni-Runtime-Pipelining: 1\r\n";
constexpr std::string_view kPoll = "GET /2018-06-01/runtime/invocation/next HTTP/1.1";
constexpr std::string_view kAccepted =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";

std::string response_line(std::string_view id) {
  return "POST /2018-06-01/runtime/invocation/" + std::string(id) + "/response HTTP/1.1";
}

class Pipeline : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.ok()); }

  // The client's loop until it ends; each event is its own answer, without a copy.
  template <typename Script>
  void run(Script script) {
    served_.clear();
    refused_ = 0;
    std::thread loop([this] {
      Client client(*parse_endpoint(server_.address()), "test");
      while (client.next()) {
        const Invocation& invocation = client.invocation();
        served_.emplace_back(invocation.request_id);
        const Answer answer = invocation.event == "fail" ? client.fail_and_poll("Type", "{}")
                                                         : client.respond_and_poll(invocation.event, "text/plain");
        if (answer == Answer::kFatal) break;
        if (answer == Answer::kRefused) ++refused_;
      }
    });
    script(server_);
    server_.hang_up();
    loop.join();
  }

  // What the platform reads next is the answer to `id`, or the poll.
  void expect_answer(std::string_view id, std::string_view body) {
    const auto request = server_.read().value_or(TestServer::Request{});
    EXPECT_EQ(request.line(), response_line(id));
    EXPECT_EQ(request.body, body);
  }
  void expect_poll() { EXPECT_EQ(server_.read().value_or(TestServer::Request{}).line(), kPoll); }
  void begin(std::string_view id, std::string_view event) {
    expect_poll();
    server_.send_event(id, event, kTakesIt);
  }
  // Instead of an event, so that the loop ends.
  void fail() { server_.send_status("500 Internal Server Error", ""); }

  TestServer server_;
  std::vector<std::string> served_;
  int refused_ = 0;
};

TEST_F(Pipeline, SendsThePollWithTheAnswerWhereThePlatformSaysSo) {
  run([&](TestServer& server) {
    begin("1", "[1]");
    expect_answer("1", "[1]");
    expect_poll();  // before the answer is acknowledged
    server.send_status("202 Accepted");
    server.send_event("2", "fail", kTakesIt);
    const auto failed = server.read().value_or(TestServer::Request{});
    EXPECT_EQ(failed.line(), "POST /2018-06-01/runtime/invocation/2/error HTTP/1.1");
    EXPECT_EQ(failed.field("Lambda-Runtime-Function-Error-Type"), "Type");
    expect_poll();
    server.send_status("202 Accepted");
    server.send_event("3", "[3]");  // no longer
    expect_answer("3", "[3]");
    EXPECT_EQ(server.unread(), "");
    server.send_status("202 Accepted");
    expect_poll();
    fail();
  });
  EXPECT_EQ(served_, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(Pipeline, TakesNothingButAOneForAYes) {
  for (const std::string_view value : {"0", "", "2", "11", "yes"}) {
    run([&](TestServer& server) {
      expect_poll();
      server.send_event("1", "[1]", "Ogni-Runtime-Pipelining: " + std::string(value) + "\r\n");
      expect_answer("1", "[1]");
      EXPECT_EQ(server.unread(), "") << value;
      server.send_status("202 Accepted");
      expect_poll();
      fail();
    });
  }
}

// The acknowledgement and the event behind it, wherever their bytes are split: in one piece too.
TEST_F(Pipeline, IsTheSameWhereverTheBytesAreSplit) {
  const std::string both = std::string(kAccepted) + "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\n" +
                           std::string(kTakesIt) + "Transfer-Encoding: chunked\r\n\r\n2\r\n[4\r\n2\r\n2]\r\n0\r\n\r\n";
  run([&](TestServer& server) {
    begin("id", "[42]");
    for (std::size_t split = 1; split <= both.size(); ++split) {
      expect_answer("id", "[42]");
      expect_poll();
      if (HasFailure()) return;
      server.send(both.substr(0, split));
      server.send(both.substr(split));
    }
    expect_answer("id", "[42]");
    expect_poll();
    server.send_status("202 Accepted");
    fail();
  });
  EXPECT_EQ(served_.size(), both.size() + 1);
  EXPECT_EQ(refused_, 0);
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(Pipeline, TakesALargeEventBehindTheAcknowledgement) {
  const std::string large(3'000'000, 'x');
  run([&](TestServer& server) {
    begin("1", "[1]");
    for (const char* id : {"2", "3"}) {
      const bool first = *id == '2';
      expect_answer(first ? "1" : "2", first ? "[1]" : large);
      expect_poll();
      server.send(std::string(kAccepted) + "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: " + id + "\r\n" +
                  std::string(kTakesIt) + "Content-Length: " + std::to_string(large.size()) + "\r\n\r\n" + large);
    }
    expect_answer("3", large);
    expect_poll();
    server.send_status("202 Accepted");
    fail();
  });
  EXPECT_EQ(served_.size(), 3U);
}

// The connection ends after every byte in turn: until the acknowledgement is whole the answer is given again, and never
// afterwards; the poll is repeated in any case.
TEST_F(Pipeline, LosesNothingWithTheConnection) {
  const std::string event = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 2\r\nContent-Length: 3\r\n\r\n[2]";
  const std::string both = std::string(kAccepted) + event;
  for (std::size_t cut = 0; cut < both.size(); ++cut) {
    run([&](TestServer& server) {
      begin("1", "[1]");
      expect_answer("1", "[1]");
      expect_poll();
      server.send(both.substr(0, cut));
      server.hang_up();
      if (cut < kAccepted.size()) {
        expect_answer("1", "[1]");
        expect_poll();
        server.send_status("400 Bad Request", R"({"errorType":"InvalidRequestID"})");  // it had arrived
      } else {
        expect_poll();
      }
      server.send(event);
      expect_answer("2", "[2]");
      server.send_status("202 Accepted");
      expect_poll();
      fail();
    });
    ASSERT_EQ(served_, (std::vector<std::string>{"1", "2"})) << cut;
    ASSERT_EQ(refused_, cut < kAccepted.size() ? 1 : 0) << cut;
    if (HasFailure()) return;
  }
}

TEST_F(Pipeline, GoesOnWithTheSamePollAfterARefusal) {
  // Too large: such a platform has told the caller, so nothing is reported.
  for (const char* status : {"400 Bad Request", "403 Forbidden", "410 Gone", "413 Payload Too Large"}) {
    const int before = server_.connections();
    run([&](TestServer& server) {
      begin("1", "[1]");
      expect_answer("1", "[1]");
      expect_poll();
      server.send_status(status);
      server.send_event("2", "[2]", kTakesIt);
      expect_answer("2", "[2]");
      expect_poll();
      server.send_status("202 Accepted");
      fail();
    });
    EXPECT_EQ(served_, (std::vector<std::string>{"1", "2"})) << status;
    EXPECT_EQ(refused_, 1) << status;
    EXPECT_EQ(server_.connections(), before + 1) << status;
  }
}

TEST_F(Pipeline, EndsWhereThePlatformFails) {
  run([&](TestServer& server) {
    begin("1", "[1]");
    expect_answer("1", "[1]");
    expect_poll();
    server.send_status("500 Internal Server Error");
    EXPECT_FALSE(server.wait_for("x")) << "nothing more is said";
  });
  EXPECT_EQ(served_.size(), 1U);
}

TEST_F(Pipeline, PollsAnewWhereTheAcknowledgementEndsTheConnection) {
  run([&](TestServer& server) {
    begin("1", "[1]");
    expect_answer("1", "[1]");
    expect_poll();
    server.send("HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    server.hang_up();
    expect_poll();
    fail();
  });
  EXPECT_EQ(refused_, 0);
  EXPECT_EQ(server_.connections(), 2);
}

TEST_F(Pipeline, EndsWhenItIsInterruptedWhileThePollWaits) {
  Client client(*parse_endpoint(server_.address()), "test");
  std::thread platform([&] {
    begin("1", "[1]");
    expect_answer("1", "[1]");
    expect_poll();
    server_.send_status("202 Accepted");
    client.interrupt();
    EXPECT_FALSE(server_.wait_for("x")) << "nothing more is said";
  });
  ASSERT_TRUE(client.next());
  const Answer answer = client.respond_and_poll("[1]", "text/plain");
  const bool got = client.next();
  platform.join();
  EXPECT_EQ(answer, Answer::kAccepted);
  EXPECT_FALSE(got);
  EXPECT_TRUE(client.is_interrupted());
}

TEST_F(Pipeline, DeliversAnEventThatHadArrivedWhenItWasInterrupted) {
  Client client(*parse_endpoint(server_.address()), "test");
  std::thread platform([&] {
    begin("1", "[1]");
    expect_answer("1", "[1]");
    expect_poll();
    server_.send(std::string(kAccepted) + "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 2\r\n" +
                 std::string(kTakesIt) + "Content-Length: 3\r\n\r\n[2]");
    expect_answer("2", "[2]");  // on a connection of its own, and no poll with it
    EXPECT_EQ(server_.unread(), "");
    server_.send_status("202 Accepted");
  });
  ASSERT_TRUE(client.next());
  EXPECT_EQ(client.respond_and_poll("[1]", "text/plain"), Answer::kAccepted);
  client.interrupt();
  ASSERT_TRUE(client.next());
  EXPECT_EQ(client.invocation().request_id, "2");
  EXPECT_EQ(client.respond_and_poll(client.invocation().event, "text/plain"), Answer::kAccepted);
  EXPECT_FALSE(client.next());
  platform.join();
}

// A caller that does not keep to the order does not read one answer for another.
TEST_F(Pipeline, GivesThePollUpWhereAnotherRequestComesFirst) {
  Client client(*parse_endpoint(server_.address()), "test");
  std::thread platform([&] {
    begin("1", "[1]");
    expect_answer("1", "[1]");
    expect_poll();
    server_.send(kAccepted);
    expect_answer("1", "again");
    server_.send_status("400 Bad Request");
  });
  ASSERT_TRUE(client.next());
  EXPECT_EQ(client.respond_and_poll("[1]", "text/plain"), Answer::kAccepted);
  EXPECT_EQ(client.respond("again", "text/plain"), Answer::kRefused);
  platform.join();
  EXPECT_EQ(server_.connections(), 2);
}

}  // namespace
}  // namespace ogni::runtime
