// A platform, and a caller of the C ABI, that do what they may not do, or may do but hardly ever do.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "ogni/runtime.h"
#include "runtime/client.h"
#include "runtime/test_fixtures.h"

namespace ogni::runtime {
namespace {

using Answer = Client::Answer;

class Hostile : public PlatformTest {};

const std::string kOk = "HTTP/1.1 200 OK\r\n";
const std::string kId = "Lambda-Runtime-Aws-Request-Id: id\r\n";
const std::string kBody = "Content-Length: 3\r\n\r\n[1]";

TEST_F(Hostile, WhatIsOddButClearIsTaken) {
  struct Odd {
    std::string text;
    std::int64_t deadline_ms = 0;
  };
  const auto deadline = [](const std::string& value) {
    return kOk + kId + "Lambda-Runtime-Deadline-Ms: " + value + "\r\n" + kBody;
  };
  const std::vector<Odd> cases = {
      {"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + kOk + kId + kBody},
      {kOk + kId + "lambda-runtime-aws-request-id: other\r\n" + kBody},  // the first counts
      {kOk + kId + "Content-Length: 3\r\n" + kBody},
      {kOk + kId + "X-Empty:\r\nX-Bytes: \xC3\xA4\xFF\t~\r\n" + kBody},
      {kOk + kId + "X-Long: " + std::string(60'000, 'x') + "\r\n" + kBody},
      {kOk + kId +
       "Transfer-Encoding: CHUNKED\r\n\r\n000000000000003 ; a=\"b\"\r\n[1]\r\n0\r\nContent-Length: 9\r\n\r\n"},
      {"HTTP/1.0 200 OK\r\n" + kId + "\r\n[1]"},  // until the end
      {deadline("1767225600000"), 1'767'225'600'000},
      {deadline("-1")},
      {deadline("soon")},
      {deadline("")},
      {deadline("1.7e12")},
      {deadline("99999999999999999999999")},
      {deadline("999999999999999999"), INT64_MAX / 1'000'000},
      {deadline("0")},
  };
  platform([&](TestServer& server) {
    for (const Odd& odd : cases) {
      server.read();
      server.send(odd.text);
      if (odd.text.starts_with("HTTP/1.0")) server.hang_up();
      EXPECT_EQ(server.read().value_or(TestServer::Request{}).line(),
                "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1");
      server.send_status("202 Accepted");
    }
  });
  Client client(*parse_endpoint(server_.address()), "test");
  for (const Odd& odd : cases) {
    ASSERT_TRUE(client.next()) << odd.text;
    EXPECT_EQ(client.invocation().event, "[1]") << odd.text;
    EXPECT_EQ(client.invocation().deadline_ms, odd.deadline_ms) << odd.text;
    EXPECT_EQ(client.respond("[1]", "application/json"), Answer::kAccepted);
  }
}

TEST_F(Hostile, WhatIsNotClearIsAskedForAgain) {
  std::string many;
  for (int i = 0; i < 200; ++i) many += "A: b\r\n";
  std::string informational;
  for (int i = 0; i < 20; ++i) informational += "HTTP/1.1 103 Early Hints\r\n\r\n";
  const std::vector<std::string> cases = {
      kOk + kId + "Transfer-Encoding: chunked\r\n" + kBody,
      kOk + kId + "Content-Length: 4\r\n" + kBody,
      kOk + "Lambda-Runtime-Aws-Request-Id: a" + std::string(1, '\0') + "b\r\n" + kBody,
      kOk + kId + "X: " + std::string(70'000, 'x') + "\r\n" + kBody,
      kOk + kId + many + kBody,
      kOk + kId + "Transfer-Encoding: chunked\r\n\r\n-3\r\n[1]\r\n0\r\n\r\n",
      kOk + kId + "Transfer-Encoding: chunked\r\n\r\n3\r\n[1]0\r\n\r\n",
      kOk + kId + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n[1]\r\n",
      kOk + kId + "Content-Length: 999999999999\r\n\r\n[1]",
      "HTTP/1.1 200 OK\n" + kId + kBody,
      "HTTP/1.1 101 Switching Protocols\r\n\r\n" + kOk + kId + kBody,
      informational + kOk + kId + kBody,
      std::string(100'000, '\0'),
  };
  platform([&](TestServer& server) {
    for (const std::string& text : cases) {
      server.read();
      server.send(text);
      const auto again = server.read();
      EXPECT_EQ(again.value_or(TestServer::Request{}).line(), "GET /2018-06-01/runtime/invocation/next HTTP/1.1")
          << text;
      server.send(kOk + kId + kBody);
    }
  });
  Client client(*parse_endpoint(server_.address()), "test");
  for (const std::string& text : cases) {
    ASSERT_TRUE(client.next()) << text;
    EXPECT_EQ(client.invocation().event, "[1]") << text;
  }
}

TEST_F(Hostile, AnEventThatEndsAtAnyByteIsAskedForAgain) {
  const std::string whole = kOk + kId + "Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\nX: y\r\n\r\n";
  platform([&](TestServer& server) {
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
      server.read();
      server.send(std::string_view(whole).substr(0, cut));
      server.hang_up();
      server.read();
      server.send(whole);
    }
  });
  Client client(*parse_endpoint(server_.address()), "test");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    ASSERT_TRUE(client.next()) << cut;
    ASSERT_EQ(client.invocation().event, "[1]") << cut;
  }
}

TEST_F(Hostile, ALongTypeOfAnErrorIsCutForThePlatform) {
  const std::string type = "Function." + std::string(100'000, 'T');
  platform([&](TestServer& server) {
    server.read();
    server.send_event("id", "{}");
    const auto error = server.read().value_or(TestServer::Request{});
    EXPECT_EQ(error.field("Lambda-Runtime-Function-Error-Type"), type.substr(0, Client::kErrorTypeBytesMax));
    server.send_status("202 Accepted");
  });
  Client client(*parse_endpoint(server_.address()), "test");
  ASSERT_TRUE(client.next());
  EXPECT_EQ(client.fail(type, "{}"), Answer::kAccepted);
}

// --- The C ABI, called in any order ---

// A platform that gives a new event to every poll, and counts the answers to each.
class Counting {
 public:
  void serve(TestServer& server) {
    while (const auto request = server.read()) {
      const std::string line = request->line();
      if (line.starts_with("GET")) {
        ++events_;
        server.send_event("id-" + std::to_string(events_), "{}", "Lambda-Runtime-Trace-Id: Root=1-a;Sampled=1\r\n");
        continue;
      }
      constexpr std::string_view kPrefix = "POST /2018-06-01/runtime/invocation/";
      if (line.starts_with(kPrefix))
        ++answers_[line.substr(kPrefix.size(), line.find('/', kPrefix.size()) - kPrefix.size())];
      server.send_status("202 Accepted");
      if (request->field("Lambda-Runtime-Function-Error-Type") == "Function.Stop") return;
    }
  }
  int events() const { return events_; }
  const std::map<std::string, int>& answers() const { return answers_; }

 private:
  int events_ = 0;
  std::map<std::string, int> answers_;
};

TEST_F(Hostile, CallsInAnyOrderAreDoneOrRefusedAndNothingIsAnsweredTwice) {
  ::unsetenv("AWS_LAMBDA_INITIALIZATION_TYPE");
  Counting counting;
  platform([&](TestServer& server) { counting.serve(server); });
  ogni_runtime* runtime = ogni_open(server_.address().c_str(), nullptr);
  ASSERT_NE(runtime, nullptr);
  const std::vector<std::function<int()>> calls = {
      [&] { return ogni_next(runtime); },
      [&] { return ogni_next(runtime); },
      [&] { return ogni_respond(runtime, "{}", 2, nullptr); },
      [&] { return ogni_respond(runtime, nullptr, 0, nullptr); },
      [&] { return ogni_respond(runtime, nullptr, 7, nullptr); },
      [&] { return ogni_respond(runtime, ogni_event(runtime, nullptr), 2, "a\r\nb: c"); },
      [&] { return ogni_respond(nullptr, "x", 1, nullptr); },
      [&] { return ogni_fail(runtime, "T", nullptr, nullptr); },
      [&] { return ogni_fail(runtime, "Function.T\r\nX: y", "m\xff", "a\n\n\nb"); },
      [&] { return ogni_fail(runtime, nullptr, "m", nullptr); },
      [&] { return ogni_fail(nullptr, "T", "m", nullptr); },
      [&] { return ogni_fail_json(runtime, "T", "{}", 2); },
      [&] { return ogni_fail_json(runtime, "T", nullptr, 2); },
      [&] { return ogni_stream_begin(runtime, nullptr); },
      [&] { return ogni_stream_begin(nullptr, nullptr); },
      [&] { return ogni_stream_begin_http(runtime, 200, "A: b", "c=d"); },
      [&] { return ogni_stream_begin_http(runtime, -1, nullptr, nullptr); },
      [&] { return ogni_stream_begin_prelude(runtime, "{}", 2); },
      [&] { return ogni_stream_begin_prelude(runtime, "{\0}", 3); },
      [&] { return ogni_stream_write(runtime, "bytes", 5); },
      [&] { return ogni_stream_write(runtime, nullptr, 0); },
      [&] { return ogni_stream_write(runtime, nullptr, 5); },
      [&] { return ogni_stream_write(nullptr, "x", 1); },
      [&] { return ogni_stream_end(runtime); },
      [&] { return ogni_stream_end(nullptr); },
      [&] { return ogni_stream_fail(runtime, "T", "m", nullptr); },
      [&] { return ogni_stream_fail(runtime, nullptr, nullptr, nullptr); },
      [&] { return ogni_stream_fail(nullptr, "T", "m", nullptr); },
      [&] { return ogni_stream_fail_json(runtime, "T", "{}", 2); },
      [&] { return ogni_stream_fail_json(runtime, nullptr, "{}", 2); },
      [&] { return ogni_init_error(runtime, "T", "m", nullptr); },
      [&] { return ogni_init_error(nullptr, "T", "m", nullptr); },
      [&] { return ogni_init_error_json(runtime, "T", "{}", 2); },
      [&] { return ogni_restore_next(runtime); },
      [&] { return ogni_restore_error(runtime, "T", "m", nullptr); },
      [&] { return ogni_restore_error(nullptr, "T", "m", nullptr); },
      [&] { return ogni_catch_sigterm(nullptr); },
  };
  std::mt19937 random(20260131);
  std::vector<int> seen(OGNI_BAD_ARGUMENT + 1);
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t which = std::uniform_int_distribution<std::size_t>(0, calls.size() - 1)(random);
    const int status = calls[which]();
    ASSERT_TRUE(status == OGNI_OK || status == OGNI_BAD_ARGUMENT) << status << " of call " << which << ", step " << i;
    ++seen[static_cast<std::size_t>(status)];
    for (int text = -1; text < 12; ++text) ASSERT_NE(ogni_text(runtime, text, nullptr), nullptr);
  }
  ogni_close(runtime);
  runtime = ogni_open(server_.address().c_str(), nullptr);
  EXPECT_EQ(ogni_init_error(runtime, "Function.Stop", "", nullptr), OGNI_OK);
  ogni_close(runtime);
  platform_.join();
  EXPECT_GT(seen[OGNI_OK], 1000);
  EXPECT_GT(seen[OGNI_BAD_ARGUMENT], 1000);
  EXPECT_GT(counting.events(), 500);
  EXPECT_GT(counting.answers().size(), 300U);
  for (const auto& [id, count] : counting.answers()) EXPECT_EQ(count, 1) << id;
}

}  // namespace
}  // namespace ogni::runtime
