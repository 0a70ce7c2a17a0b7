#include "runtime/client.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>

#include "runtime/test_fixtures.h"

namespace ogni::runtime {
namespace {

using Answer = Client::Answer;

class ClientTest : public PlatformTest {
 protected:
  Client client() { return Client(*parse_endpoint(server_.address()), "test"); }
};

TEST(Endpoint, TakesAddressesWithAPortAndNothingElse) {
  EXPECT_EQ(parse_endpoint("127.0.0.1:9001")->address.ss_family, AF_INET);
  EXPECT_EQ(parse_endpoint("localhost:9001")->authority(), "localhost:9001");
  EXPECT_EQ(parse_endpoint("[::1]:9001")->address.ss_family, AF_INET6);
  for (const char* bad : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:1x", ":1",
                          "::1:80", "[::1:80", "http://127.0.0.1:80", "256.0.0.1:80", "example.org:80"}) {
    EXPECT_FALSE(parse_endpoint(bad)) << bad;
  }
}

TEST_F(ClientTest, CarriesEverythingOfAnInvocationBothWays) {
  TestServer::Request next;
  TestServer::Request response;
  platform([&](TestServer& server) {
    next = *server.read();
    server.send_event("id-1", "{\"a\":1}",
                      "lambda-runtime-trace-id: Root=1-2\r\nLAMBDA-RUNTIME-INVOKED-FUNCTION-ARN: arn:x\r\n"
                      "Lambda-Runtime-Client-Context: {}\r\nLambda-Runtime-Cognito-Identity: {\"i\":1}\r\n"
                      "Lambda-Runtime-Aws-Tenant-Id: t\r\nLambda-Runtime-Invocation-Id: nonce\r\n");
    response = *server.read();
    server.send_status("202 Accepted");
  });
  Client client = this->client();
  ASSERT_TRUE(client.next());
  const Invocation invocation = client.invocation();
  EXPECT_EQ(invocation.request_id, "id-1");
  EXPECT_EQ(invocation.event, "{\"a\":1}");
  EXPECT_EQ(invocation.trace_id, "Root=1-2");
  EXPECT_EQ(invocation.invoked_function_arn, "arn:x");
  EXPECT_EQ(invocation.client_context, "{}");
  EXPECT_EQ(invocation.cognito_identity, "{\"i\":1}");
  EXPECT_EQ(invocation.tenant_id, "t");
  EXPECT_EQ(invocation.content_type, "application/json");
  EXPECT_GT(invocation.deadline_ms, 0);
  EXPECT_EQ(client.respond(invocation.event, "text/plain"), Answer::kAccepted);
  platform_.join();
  EXPECT_EQ(next.line(), "GET /2018-06-01/runtime/invocation/next HTTP/1.1");
  EXPECT_EQ(next.field("Host"), server_.address());
  EXPECT_EQ(response.line(), "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1");
  EXPECT_EQ(response.field("Content-Type"), "text/plain");
  EXPECT_EQ(response.field("Lambda-Runtime-Invocation-Id"), "nonce");
  EXPECT_EQ(response.body, "{\"a\":1}");
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(ClientTest, ReportsErrors) {
  TestServer::Request error;
  TestServer::Request init_error;
  platform([&](TestServer& server) {
    init_error = *server.read();
    server.send_status("202 Accepted");
    server.read();
    server.send_event("id-1", "{}");
    error = *server.read();
    server.send_status("202 Accepted");
  });
  Client client = this->client();
  EXPECT_EQ(client.init_error("Runtime.Init", "{\"i\":1}"), Answer::kAccepted);
  ASSERT_TRUE(client.next());
  EXPECT_EQ(client.fail("Function.Bad\r\nX: y", "{\"e\":1}"), Answer::kAccepted);
  platform_.join();
  EXPECT_EQ(init_error.line(), "POST /2018-06-01/runtime/init/error HTTP/1.1");
  EXPECT_EQ(init_error.field("Lambda-Runtime-Function-Error-Type"), "Runtime.Init");
  EXPECT_EQ(error.line(), "POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1");
  EXPECT_EQ(error.field("Lambda-Runtime-Function-Error-Type"), "Function.Bad  X: y") << "no line of its own";
  EXPECT_EQ(error.field("X"), "");
  EXPECT_EQ(error.field("Lambda-Runtime-Invocation-Id"), "");
  EXPECT_EQ(error.body, "{\"e\":1}");
}

TEST_F(ClientTest, GoesOnAfterARefusedAnswerAndEndsAfterAFailureOfThePlatform) {
  const char* const refusals[] = {"400 Bad Request", "403 Forbidden", "410 Gone", "413 Too Large"};
  TestServer::Request report;
  platform([&](TestServer& server) {
    for (const char* status : refusals) {
      server.read();
      server.send_event("id", "{}");
      server.read();
      server.send_status(status, "{\"errorType\":\"X\"}");
    }
    report = server.read().value_or(TestServer::Request{});
    server.send_status("403 Forbidden", "{\"errorType\":\"InvalidStateTransition\"}");
    server.read();
    server.send_event("id", "{}");
    server.read();
    server.send_status("500 Internal Server Error", "");
    server.read();
    server.send_status("500 Internal Server Error", "");
  });
  Client client = this->client();
  for (const char* status : refusals) {
    ASSERT_TRUE(client.next());
    EXPECT_EQ(client.respond("{}", "application/json"), Answer::kRefused) << status;
  }
  ASSERT_TRUE(client.next());
  EXPECT_EQ(client.respond("{}", "application/json"), Answer::kFatal);
  EXPECT_FALSE(client.next());
  platform_.join();
  EXPECT_EQ(server_.connections(), 1);
  EXPECT_EQ(report.line(), "POST /2018-06-01/runtime/invocation/id/error HTTP/1.1")
      << "of the response that is too large";
  EXPECT_EQ(report.field("Lambda-Runtime-Function-Error-Type"), "Function.ResponseSizeTooLarge");
}

// However the connection ends in the middle of an exchange, the request is repeated on a new one.
TEST_F(ClientTest, RepeatsTheRequestOnALostConnection) {
  const std::string event = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: 4\r\n\r\n";
  std::string second_response;
  platform([&](TestServer& server) {
    server.read();
    server.hang_up();
    server.read();
    server.reset_connection();
    server.read();
    server.send(event.substr(0, 20));
    server.hang_up();
    server.read();
    server.send(event + "12");
    server.reset_connection();
    server.read();
    server.send("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n");
    server.read();
    server.send(event + "1234");
    server.read();  // the response; its acknowledgement is cut
    server.send("HTTP/1.1 202 Acc");
    server.hang_up();
    second_response = server.read()->body;
    server.send_status("202 Accepted");
  });
  Client client = this->client();
  ASSERT_TRUE(client.next());
  EXPECT_EQ(client.invocation().event, "1234");
  EXPECT_EQ(client.respond(client.invocation().event, "application/json"), Answer::kAccepted);
  platform_.join();
  EXPECT_EQ(second_response, "1234") << "the event outlives a half answer";
  EXPECT_EQ(server_.connections(), 7);
}

TEST_F(ClientTest, ReconnectsWhenTheServerClosesBetweenExchanges) {
  platform([&](TestServer& server) {
    for (int i = 0; i < 3; ++i) {
      server.read();
      server.send_event("id", "{}", "Connection: close\r\n");
      server.read();
      server.send_status("202 Accepted");
      server.hang_up();
    }
  });
  Client client = this->client();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.next());
    EXPECT_EQ(client.respond("{}", "application/json"), Answer::kAccepted);
  }
  platform_.join();
  EXPECT_EQ(server_.connections(), 6);
}

TEST_F(ClientTest, TakesSlowBytesAndChunks) {
  const std::string event =
      "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: id\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\nX: y\r\n\r\n";
  platform([&](TestServer& server) {
    server.read();
    for (const char byte : event) server.send({&byte, 1});
    server.read();
    server.send_status("202 Accepted");
  });
  Client client = this->client();
  ASSERT_TRUE(client.next());
  EXPECT_EQ(client.invocation().event, "{\"a\":1}");
  EXPECT_EQ(client.respond("{}", "application/json"), Answer::kAccepted);
}

TEST_F(ClientTest, CarriesSixMegabytesBothWays) {
  std::string event(6 * 1024 * 1024, 'x');
  for (std::size_t i = 0; i < event.size(); i += 997) event[i] = static_cast<char>(i / 997);
  std::string response;
  platform([&](TestServer& server) {
    for (int i = 0; i < 2; ++i) {
      server.read();
      server.send_event("id", event);
      response = server.read()->body;
      server.send_status("202 Accepted");
    }
  });
  Client client = this->client();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(client.next());
    EXPECT_TRUE(client.invocation().event == event);
    EXPECT_EQ(client.respond(client.invocation().event, "application/json"), Answer::kAccepted);
  }
  platform_.join();
  EXPECT_TRUE(response == event);
}

TEST_F(ClientTest, GivesUpWhenNobodyListens) {
  std::string address;
  {
    TestServer gone;
    address = gone.address();
  }
  Client client(*parse_endpoint(address), "test");
  EXPECT_FALSE(client.next());
  EXPECT_EQ(client.init_error("Runtime.X", "{}"), Answer::kFatal);
}

TEST_F(ClientTest, TakesADeadlineThatClocksCannotCount) {
  platform([](TestServer& server) {
    server.read();
    server.send(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nLambda-Runtime-Deadline-Ms: 253402300799999\r\n"
        "Content-Length: 2\r\n\r\n{}");
  });
  Client client = this->client();
  ASSERT_TRUE(client.next());
  EXPECT_GT(client.invocation().deadline_ms, now_ms());
  EXPECT_LE(client.invocation().deadline_ms, INT64_MAX / 1'000'000);
}

TEST_F(ClientTest, GivesUpOnAnEventWithoutRequestIdAndOnRefusedPolls) {
  platform([&](TestServer& server) {
    for (int i = 0; i < 5; ++i) {
      if (!server.read()) return;
      server.send_status(i % 2 == 0 ? "200 OK" : "403 Forbidden", "{}");
    }
  });
  Client client = this->client();
  EXPECT_FALSE(client.next());
  EXPECT_EQ(client.invocation().event.data(), nullptr) << "no view of what is gone";
}

}  // namespace
}  // namespace ogni::runtime
