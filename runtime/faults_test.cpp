// A platform that misbehaves at every step: the client recovers, or ends with the right report; nothing hangs, nothing is
// answered to the wrong invocation.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "ogni/runtime.h"
#include "runtime/client.h"
#include "runtime/test_server.h"

namespace {

[[maybe_unused]] constexpr std::size_t kShortBytes = 64 * 1024;  // what is larger is not to be had
thread_local bool memory_is_short = false;
thread_local std::size_t allocations = 0;

}  // namespace

#if !defined(__has_feature) || !(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#define OGNI_COUNTS_ALLOCATIONS 1
// Every allocation of this program, as the core makes them. (glibc; the names are its own.)
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* malloc(std::size_t bytes) {
  ++allocations;
  return memory_is_short && bytes > kShortBytes ? nullptr : __libc_malloc(bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  ++allocations;
  return memory_is_short && bytes > kShortBytes ? nullptr : __libc_realloc(memory, bytes);
}
}
#else
#define OGNI_COUNTS_ALLOCATIONS 0
#endif

namespace ogni::runtime {
namespace {

using Answer = Client::Answer;

class Faults : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.ok()); }

  // The client's loop until it ends, with what it answered, on a thread; `script` is the platform.
  template <typename Script>
  void run(Script script) {
    std::thread client([this] {
      Client client(*parse_endpoint(server_.address()), "test");
      while (client.next()) {
        served_.emplace_back(client.invocation().request_id);
        const Answer answer = streams_ ? stream(client) : client.respond(client.invocation().event, "application/json");
        if (answer == Answer::kFatal) break;
        if (answer == Answer::kRefused) ++refused_;
      }
      ended_ = true;
    });
    script(server_);
    client.join();
  }
  static Answer stream(Client& client) {
    if (client.stream_begin("text/plain") != Answer::kAccepted) return Answer::kFatal;
    for (const char& byte : client.invocation().event) {
      if (!client.stream_write({&byte, 1})) break;
    }
    return client.stream_end();
  }

  TestServer server_;
  bool streams_ = false;
  std::vector<std::string> served_;
  int refused_ = 0;
  std::atomic<bool> ended_ = false;
};

using Fault = void (*)(TestServer&);
struct NamedFault {
  const char* name;
  Fault fault;
};

// What can happen instead of a response.
const NamedFault kLosses[] = {
    {"hang up", [](TestServer& server) { server.hang_up(); }},
    {"reset", [](TestServer& server) { server.reset_connection(); }},
    {"half a status line",
     [](TestServer& server) {
       server.send("HTTP/1.1 20");
       server.hang_up();
     }},
    {"half a head",
     [](TestServer& server) {
       server.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n");
       server.reset_connection();
     }},
    {"half a body",
     [](TestServer& server) {
       server.send("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: half\r\nContent-Length: 5\r\n\r\n12");
       server.hang_up();
     }},
    {"half a chunk",
     [](TestServer& server) {
       server.send(
           "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: half\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12");
       server.hang_up();
     }},
    {"not HTTP", [](TestServer& server) { server.send("SSH-2.0-OpenSSH_9.2\r\n\r\n"); }},
    {"two lengths",
     [](TestServer& server) { server.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"); }},
    {"an endless head", [](TestServer& server) { server.send("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x')); }},
};

void platform_fails(TestServer& server) {
  server.read();
  server.send_status("500 Internal Server Error", "");
}

TEST_F(Faults, OfEveryKindAtThePollCostOneMorePoll) {
  for (const NamedFault& loss : kLosses) {
    served_.clear();
    run([&](TestServer& server) {
      ASSERT_TRUE(server.read());
      loss.fault(server);
      const auto again = server.read();
      ASSERT_TRUE(again) << loss.name;
      EXPECT_EQ(again->line(), "GET /2018-06-01/runtime/invocation/next HTTP/1.1") << loss.name;
      server.send_event("id", "[1]");
      EXPECT_EQ(server.read().value_or(TestServer::Request{}).body, "[1]") << loss.name;
      server.send_status("202 Accepted");
      platform_fails(server);
    });
    EXPECT_EQ(served_, std::vector<std::string>{"id"}) << loss.name;
  }
}

TEST_F(Faults, OfEveryKindAtTheAnswerCostOneMoreAnswer) {
  for (const NamedFault& loss : kLosses) {
    served_.clear();
    run([&](TestServer& server) {
      ASSERT_TRUE(server.read());
      server.send_event("id", "[1]");
      ASSERT_TRUE(server.read());
      loss.fault(server);
      const auto again = server.read();
      ASSERT_TRUE(again) << loss.name;
      EXPECT_EQ(again->line(), "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1") << loss.name;
      EXPECT_EQ(again->body, "[1]") << loss.name;
      server.send_status("400 Bad Request", R"({"errorType":"InvalidRequestID"})");  // it had arrived the first time
      platform_fails(server);
    });
    EXPECT_EQ(served_, std::vector<std::string>{"id"}) << loss.name;
  }
}

TEST_F(Faults, OfEveryKindAtTheEndOfAStreamGiveItUpAndPollingGoesOn) {
  streams_ = true;
  for (const NamedFault& loss : kLosses) {
    served_.clear();
    refused_ = 0;
    run([&](TestServer& server) {
      ASSERT_TRUE(server.read());
      server.send_event("id", "[1]");
      const auto streamed = server.read();
      ASSERT_TRUE(streamed) << loss.name;
      EXPECT_EQ(streamed->body, "[1]") << loss.name;
      loss.fault(server);
      const auto next = server.read();
      ASSERT_TRUE(next) << loss.name;
      EXPECT_EQ(next->line(), "GET /2018-06-01/runtime/invocation/next HTTP/1.1") << loss.name << ": never sent twice";
      server.send_status("500 Internal Server Error", "");
    });
    EXPECT_EQ(refused_, 1) << loss.name;
  }
}

TEST_F(Faults, StatusesAtTheAnswerAreRefusedBelow500AndFatalAbove) {
  for (const char* status :
       {"400 Bad Request", "403 Forbidden", "404 Not Found", "410 Gone", "429 Too Many Requests"}) {
    refused_ = 0;
    run([&](TestServer& server) {
      server.read();
      server.send_event("id", "[1]");
      server.read();
      server.send_status(status, R"({"errorMessage":"m","errorType":"T"})");
      platform_fails(server);
    });
    EXPECT_EQ(refused_, 1) << status;
  }
  for (const char* status : {"500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable"}) {
    refused_ = 0;
    run([&](TestServer& server) {
      server.read();
      server.send_event("id", "[1]");
      server.read();
      server.send_status(status, "");
    });
    EXPECT_EQ(refused_, 0) << status;
  }
}

TEST_F(Faults, AStrangeRequestIdStaysInItsPlace) {
  run([&](TestServer& server) {
    server.read();
    server.send_event("../../x?y#z \t%0d", "[1]", "Lambda-Runtime-Invocation-Id: a\tb\r\n");
    const auto answer = server.read().value_or(TestServer::Request{});
    EXPECT_EQ(answer.line(), "POST /2018-06-01/runtime/invocation/../../x?y#z__%0d/response HTTP/1.1");
    EXPECT_EQ(answer.field("Lambda-Runtime-Invocation-Id"), "a b");
    server.send_status("400 Bad Request", "");
    platform_fails(server);
  });
  EXPECT_EQ(refused_, 1);
}

TEST_F(Faults, MoreThanWasAskedForEndsTheConnectionOnly) {
  run([&](TestServer& server) {
    server.read();
    server.send(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: 3\r\n\r\n[1]HTTP/1.1 202 "
        "Accepted\r\n");
    EXPECT_EQ(server.read().value_or(TestServer::Request{}).body, "[1]");
    server.send_status("202 Accepted");
    platform_fails(server);
  });
  EXPECT_EQ(served_, std::vector<std::string>{"id"});
  EXPECT_EQ(server_.connections(), 2);
}

// The exchange is the same wherever its bytes are split.
TEST_F(Faults, AreNotWhereTheBytesAreSplit) {
  const std::string event =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: id-7\r\n"
      "Lambda-Runtime-Deadline-Ms: 1767225600000\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\nX: "
      "y\r\n\r\n";
  const std::string accepted = "HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
  std::size_t wrong = 0;
  run([&](TestServer& server) {
    for (std::size_t split = 1; split < event.size(); ++split) {
      wrong += server.read() ? 0U : 1U;
      server.send(event.substr(0, split));
      server.send(event.substr(split));
      const auto answer = server.read();
      wrong +=
          answer && answer->body == "[1,2]" && answer->line().find("/id-7/response") != std::string::npos ? 0U : 1U;
      const std::size_t at = split % accepted.size();
      server.send(accepted.substr(0, at));
      server.send(accepted.substr(at));
    }
    platform_fails(server);
  });
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(served_.size(), event.size() - 1);
  EXPECT_EQ(refused_, 0);
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(Faults, OfMemoryEndTheClientWithoutACrash) {
  if (!OGNI_COUNTS_ALLOCATIONS) GTEST_SKIP() << "the sanitizer has its own malloc";
  std::thread platform([this] {
    // Each poll on a new connection, until the client has had enough.
    while (server_.read()) {
      server_.send("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: 1048576\r\n\r\n");
      if (server_.connections() == 10) break;
    }
  });
  Client client(*parse_endpoint(server_.address()), "test");
  memory_is_short = true;
  const bool got = client.next();
  memory_is_short = false;
  EXPECT_FALSE(got) << "there was no room for the event";
  platform.join();
  EXPECT_EQ(server_.connections(), 10);
}

TEST_F(Faults, OfMemoryAtTheStartAreAClientThatCannotServe) {
  if (!OGNI_COUNTS_ALLOCATIONS) GTEST_SKIP() << "the sanitizer has its own malloc";
  memory_is_short = true;
  Client client(*parse_endpoint(server_.address()), "test");
  const bool got = client.next();
  memory_is_short = false;
  EXPECT_FALSE(got);
}

TEST_F(Faults, OfAllocationAreImpossibleWhenWarm) {
  if (!OGNI_COUNTS_ALLOCATIONS) GTEST_SKIP() << "the sanitizer has its own malloc";
  std::thread platform([this] {
    for (int i = 0; i < 50; ++i) {
      server_.read();
      server_.send_event("id-1", R"({"name":"World"})",
                         i < 25 ? "Lambda-Runtime-Trace-Id: Root=1-a\r\n" : "Ogni-Runtime-Pipelining: 1\r\n");
      server_.read();
      server_.send_status("202 Accepted");
    }
  });
  Client client(*parse_endpoint(server_.address()), "test");
  std::size_t after_first = 0;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(client.next());
    ASSERT_EQ(client.respond_and_poll(client.invocation().event, "application/json"), Answer::kAccepted);
    if (i == 0) after_first = allocations;
  }
  EXPECT_EQ(allocations, after_first) << "by malloc, and so by new as well";
  EXPECT_GT(after_first, 0U) << "they are counted";
  platform.join();
}

TEST_F(Faults, OfAllocationAreImpossibleWhenWarmInCAsWell) {
  if (!OGNI_COUNTS_ALLOCATIONS) GTEST_SKIP() << "the sanitizer has its own malloc";
  ::unsetenv("AWS_LAMBDA_MAX_CONCURRENCY");
  std::thread platform([this] {
    for (int i = 0; i < 50; ++i) {
      server_.read();
      server_.send_event("id-1", R"({"name":"World"})", "Lambda-Runtime-Trace-Id: Root=1-a\r\n");
      server_.read();
      server_.send_status("202 Accepted");
    }
  });
  ogni_runtime* runtime = ogni_open(server_.address().c_str(), nullptr);
  std::size_t after_first = 0;
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(ogni_next(runtime), OGNI_OK);
    std::size_t bytes = 0;
    const char* event = ogni_event(runtime, &bytes);
    ASSERT_EQ(ogni_respond(runtime, event, bytes, nullptr), OGNI_OK);
    if (i == 0) after_first = allocations;
  }
  EXPECT_EQ(allocations, after_first);
  ogni_close(runtime);
  platform.join();
}

}  // namespace
}  // namespace ogni::runtime
