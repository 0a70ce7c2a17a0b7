#include "service/api/testing.h"
#include "service/api/trace.h"

namespace ogni::service {
namespace {

using testing::ApiTest;
using testing::Reply;

constexpr std::string_view kInvoke = "/2015-03-31/functions/f/invocations";

class InvokeTest : public ApiTest {
 protected:
  InvokeRequest last_request() {
    return loop_.run([this] { return invoker_.requests.back(); });
  }
  void script(std::function<InvokeAnswer(const InvokeRequest&)> answer) {
    loop_.run([&] { invoker_.script = std::move(answer); });
  }
};

TEST_F(InvokeTest, CarriesPayloadAndHeadersBothWays) {
  start();
  create_active("f");

  const Reply reply = call("POST", kInvoke, R"({"a":[1,"ü"]})");
  const InvokeRequest request = last_request();

  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"a":[1,"ü"]})");
  EXPECT_EQ(reply.header("X-Amz-Executed-Version"), "$LATEST");
  EXPECT_EQ(reply.header("X-Amz-Function-Error"), "");
  EXPECT_EQ(reply.header("X-Amz-Log-Result"), "");
  EXPECT_EQ(reply.header("X-Amzn-Remapped-Content-Length"), "0");
  EXPECT_EQ(reply.header("x-amzn-RequestId"), request.request_id);
  EXPECT_EQ(reply.header("X-Amzn-Trace-Id"), trace_for_caller(request.trace_header));
  EXPECT_TRUE(reply.header("X-Amzn-Trace-Id").starts_with("root=1-"));
  EXPECT_EQ(request.function->name, "f");
  EXPECT_EQ(request.invoked_arn, "arn:aws:lambda:us-east-1:000000000000:function:f");
  EXPECT_FALSE(request.wants_log_tail);
}

TEST_F(InvokeTest, HandsAnEmptyBodyOverAsAnEmptyObjectAndKeepsTheQualifier) {
  start();
  create_active("f");

  EXPECT_EQ(call("POST", "/2015-03-31/functions/f/invocations?Qualifier=$LATEST").body, "{}");
  EXPECT_EQ(last_request().invoked_arn, "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST");
}

TEST_F(InvokeTest, GivesTheLogTailAndTheFunctionsError) {
  start();
  create_active("f");
  script([](const InvokeRequest& request) {
    InvokeAnswer answer;
    answer.payload = R"({"errorType":"E"})";
    answer.function_error = true;
    answer.log_tail = request.wants_log_tail ? "START\nEND\n" : "";
    answer.trace_header = "root=1-x;sampled=1";
    return answer;
  });

  const Reply reply = call("POST", kInvoke, "1", "X-Amz-Log-Type: Tail\r\n");

  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("X-Amz-Function-Error"), "Unhandled");
  EXPECT_EQ(from_base64(reply.header("X-Amz-Log-Result")).value(), "START\nEND\n");
  EXPECT_EQ(reply.header("X-Amzn-Trace-Id"), "root=1-x;sampled=1");
}

TEST_F(InvokeTest, PassesTheClientContextAndTheTraceOn) {
  start();
  create_active("f");
  const std::string context = to_base64("{\"custom\":\n{\"a\":1}}");
  const std::string root = "Root=1-5759e988-bd862e3fe1be46a994272793";

  EXPECT_EQ(
      call("POST", kInvoke, "1", "X-Amz-Client-Context: " + context + "\r\nX-Amzn-Trace-Id: " + root + ";Sampled=1\r\n")
          .status,
      200);

  EXPECT_EQ(last_request().client_context, R"({"custom": {"a":1}})");
  EXPECT_TRUE(last_request().trace_header.starts_with(root + ";Parent="));
  EXPECT_TRUE(last_request().trace_header.ends_with(";Sampled=1"));
  for (const std::string& bad : {std::string("%%%"), to_base64("no json"), std::string(3584, 'a')}) {
    EXPECT_TRUE(refusal(call("POST", kInvoke, "1", "X-Amz-Client-Context: " + bad + "\r\n"))
                    .starts_with("400 InvalidRequestContentException: Client context must be "));
  }
}

TEST_F(InvokeTest, RefusesPayloadsThatAreNotJson) {
  start();
  create_active("f");
  for (const std::string_view bad : {"{", " ", "nul", "{}x", "'a'", "{\"a\":\xff}", "01", "[1,]"}) {
    const std::string got = refusal(call("POST", kInvoke, bad));
    EXPECT_TRUE(
        got.starts_with("400 InvalidRequestContentException: Could not parse request body into json: Could not parse "
                        "payload into json: "))
        << got;
  }
  for (const std::string_view good : {"null", "1", "\"x\"", "[]", " {} ", "true", "1e400"}) {
    EXPECT_EQ(call("POST", kInvoke, good).status, 200) << good;
  }
}

TEST_F(InvokeTest, RefusesWhatItCannotDo) {
  start();
  create_active("f");

  EXPECT_EQ(call("POST", kInvoke, "1", "X-Amz-Invocation-Type: DryRun\r\n").status, 204);
  EXPECT_EQ(loop_.run([this] { return invoker_.requests.size(); }), 0U);
  EXPECT_EQ(refusal(call("POST", kInvoke, "1", "X-Amz-Invocation-Type: Event\r\n")),
            "501 NotImplementedException: Invoke with InvocationType Event is not implemented by Ogni yet.");
  EXPECT_EQ(refusal(call("POST", kInvoke, "1", "X-Amz-Invocation-Type: Soon\r\n")),
            "400 ValidationException: 1 validation error detected: Value 'Soon' at 'invocationType' failed to satisfy "
            "constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]");
  EXPECT_EQ(refusal(call("POST", "/2015-03-31/functions/f/invocations?Qualifier=live", "1")),
            "404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:live");
  EXPECT_EQ(
      refusal(call("POST", "/2015-03-31/functions/g/invocations", "1")),
      "404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:g:$LATEST");
  EXPECT_EQ(call("POST", "/2015-03-31/functions/g/invocations", "1", "X-Amz-Invocation-Type: DryRun\r\n").status, 404);
}

TEST_F(InvokeTest, TellsRefusalsOfTheInvoker) {
  start();
  create_active("f");
  const std::pair<InvokeRefusal, std::string> cases[] = {
      {InvokeRefusal::kConcurrencyLimit, "429 TooManyRequestsException: Rate Exceeded."},
      {InvokeRefusal::kServiceFailed, "500 ServiceException: The service could not run the function."},
      {InvokeRefusal::kServiceUnavailable, "503 ServiceException: The service is shutting down."}};
  for (const auto& [refused, expected] : cases) {
    script([refused](const InvokeRequest&) {
      InvokeAnswer answer;
      answer.refusal = refused;
      return answer;
    });
    const Reply reply = call("POST", kInvoke, "1");
    EXPECT_EQ(refusal(reply), expected);
    EXPECT_EQ(reply.header("x-amzn-RequestId"), last_request().request_id);
    if (refused == InvokeRefusal::kConcurrencyLimit) {
      EXPECT_EQ(text(parse(reply), "Reason"), "ConcurrentInvocationLimitExceeded");
    }
  }
}

TEST_F(InvokeTest, RefusesAPendingFunction) {
  start({.activation_delay = std::chrono::hours(1)});
  ASSERT_EQ(create(new_function("f")).status, 201);

  EXPECT_EQ(
      refusal(call("POST", kInvoke, "1")),
      "409 ResourceConflictException: The operation cannot be performed at this time. The function is currently in "
      "the following state: Pending");
}

TEST_F(InvokeTest, RunsTheOldConfigurationWhileAnUpdateIsInProgress) {
  start({.activation_delay = std::chrono::milliseconds(300)});
  ASSERT_EQ(create(new_function("f")).status, 201);
  ASSERT_TRUE(becomes("f", "State", "Active"));
  ASSERT_EQ(call("PUT", "/2015-03-31/functions/f/configuration", R"({"MemorySize":256})").status, 200);

  // Whether the update is still under way is read before and after: only then the answer is certain.
  const std::string before = text(configuration("f"), "LastUpdateStatus");
  ASSERT_EQ(call("POST", kInvoke, "1").status, 200);
  const bool during = before == "InProgress" && text(configuration("f"), "LastUpdateStatus") == "InProgress";
  const int memory = last_request().function->settings.memory_mb;
  if (during) EXPECT_EQ(memory, 128);

  ASSERT_TRUE(becomes("f", "LastUpdateStatus", "Successful"));
  ASSERT_EQ(call("POST", kInvoke, "1").status, 200);
  EXPECT_EQ(last_request().function->settings.memory_mb, 256);
}

TEST_F(InvokeTest, EchoesTheLargestPayload) {
  start();
  create_active("f");
  const std::string payload = '"' + std::string(protocol::limits::kPayloadBytesMax - 2, 'x') + '"';

  const Reply reply = call("POST", kInvoke, payload);

  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.body == payload);
}

}  // namespace
}  // namespace ogni::service
