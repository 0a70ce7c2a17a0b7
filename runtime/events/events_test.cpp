#include "ogni/events.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "embedded/samples.h"
#include "runtime/events/base64.h"

namespace ogni::events {
namespace {

using embedded::sample;

// Objects are equal whatever the order of their members.
void expect_same(const json::Value& left, const json::Value& right, const std::string& path) {
  const json::Object* object = left.object();
  const json::Array* array = left.array();
  if (object != nullptr && right.object() != nullptr) {
    EXPECT_EQ(object->size(), right.object()->size()) << path;
    for (const json::Member& member : object->members()) {
      const json::Value* other = right.object()->find(member.name);
      ASSERT_NE(other, nullptr) << path << "." << member.name;
      expect_same(member.value, *other, path + "." + member.name);
    }
  } else if (array != nullptr && right.array() != nullptr) {
    ASSERT_EQ(array->size(), right.array()->size()) << path;
    for (std::size_t i = 0; i < array->size(); ++i)
      expect_same((*array)[i], (*right.array())[i], path + "[" + std::to_string(i) + "]");
  } else {
    EXPECT_EQ(json::write(left), json::write(right)) << path;
  }
}

// What is read is written again, member for member and digit for digit, and reads as the same struct.
template <class Event>
Event round_trip(std::string_view name) {
  const std::string_view text = sample(name);
  EXPECT_FALSE(text.empty()) << name;
  Event event = parse<Event>(text);
  const std::string written = to_json(event);
  expect_same(json::parse(text), json::parse(written), std::string(name));
  EXPECT_TRUE(parse<Event>(written) == event) << name;
  return event;
}

template <class Event>
std::string refusal(std::string_view text) {
  try {
    static_cast<void>(parse<Event>(text));
  } catch (const EventError& error) {
    return error.what();
  }
  return "taken";
}

// Collects what a producer writes.
class Collected : public ResponseStream {
 public:
  void content_type(std::string_view) override {}
  void http(const HttpHead&) override {}
  bool write(std::string_view bytes) override {
    text += bytes;
    return true;
  }
  std::string text;
};

TEST(Events, TheTypedEventLivesAsLongAsTheResponseThatRefersToIt) {
  const std::string body(100, 'x');
  const std::string event = "{\"Records\":[{\"body\":\"" + body + "\"}]}";
  const Handler borrows =
      handler([](const SqsEvent& sqs) noexcept { return Response::borrowed(sqs.records.front().body); });
  EXPECT_EQ(borrows({event, {}}, {}).body(), body);
  const Handler streams = handler([](const SqsEvent& sqs) {
    return Response::streamed([&sqs](ResponseStream& stream) { stream.write(sqs.records.front().body); });
  });
  Response copy = Response::success("");
  copy = streams({event, {}}, {});
  Collected collected;
  copy.produce(collected);
  EXPECT_EQ(collected.text, body);
}

TEST(Events, ApiGatewayRequestDecodesItsBodyAndComesOutAsItCameIn) {
  const auto request = round_trip<ApiGatewayRequest>("api_gateway_v1");
  EXPECT_EQ(request.http_method, "POST");
  EXPECT_EQ(request.body, std::string("Gr\xC3\xBC\xC3\x9F Dich \0\xFF", 14));
  EXPECT_EQ(request.path_parameters.at("id"), "77");
  EXPECT_EQ(request.multi_value_query_string_parameters.at("verbose"), (std::vector<std::string>{"1", "2"}));
  EXPECT_TRUE(request.stage_variables.empty());
  EXPECT_EQ(request.request_context.request_time_epoch, 1705095811123);
  EXPECT_EQ(request.request_context.identity.source_ip, "198.51.100.7");
  EXPECT_EQ(*request.request_context.authorizer["claims"]["email"].string(), "anna@example.org");
  EXPECT_EQ(*request.request_context.other.find("deploymentId")->string(), "q9w8e7");
  ASSERT_NE(find_header(request.headers, "content-TYPE"), nullptr);
  EXPECT_EQ(*find_header(request.headers, "content-TYPE"), "text/plain; charset=utf-8");
  EXPECT_EQ(find_header(request.headers, "content"), nullptr);
  round_trip<ApiGatewayRequest>("api_gateway_v1_from_http_api");
}

TEST(Events, HttpApiRequestAndFunctionUrl) {
  const auto request = round_trip<HttpApiRequest>("api_gateway_v2");
  EXPECT_EQ(request.request_context.http.method, "POST");
  EXPECT_EQ(request.cookies, (std::vector<std::string>{"session=abc", "theme=dark"}));
  EXPECT_EQ(request.body, "{\"item\":\"caf\xC3\xA9\"}");
  EXPECT_EQ(*request.request_context.authorizer["jwt"]["scopes"][0].string(), "orders:write");
  const auto url = round_trip<FunctionUrlRequest>("function_url");
  EXPECT_EQ(url.body, "\x89PNG\r\n\x1A\n");
}

TEST(Events, LoadBalancer) {
  const auto request = round_trip<AlbRequest>("alb");
  EXPECT_TRUE(request.request_context.elb.target_group_arn.starts_with("arn:aws:elasticloadbalancing:"));
  EXPECT_EQ(url_decode(request.query_string_parameters.at("query")), "1234ABCD ");
  EXPECT_EQ(round_trip<AlbRequest>("alb_multi_value").body, std::string("\0\1\2\xFF", 4));
}

TEST(Events, Sqs) {
  const auto event = round_trip<SqsEvent>("sqs");
  ASSERT_EQ(event.records.size(), 2U);
  EXPECT_EQ(event.records[0].body, "{\"order\": 1}");
  EXPECT_EQ(event.records[0].message_attributes.at("photo").binary_value, "\xDE\xAD\xBE\xEF");
  EXPECT_EQ(event.records[0].message_attributes.at("colour").string_value, "gr\xC3\xBCn");
  EXPECT_EQ(event.records[1].attributes.at("MessageGroupId"), "1");
  BatchResponse response;
  EXPECT_EQ(to_json(response), R"({"batchItemFailures":[]})");
  response.add_failure(event.records[1].message_id);
  EXPECT_EQ(to_json(response), R"({"batchItemFailures":[{"itemIdentifier":"2e1424d4-f796-459a-8184-9c92662be6da"}]})");
  EXPECT_TRUE(parse<BatchResponse>(to_json(response)) == response);
}

TEST(Events, Sns) {
  const auto event = round_trip<SnsEvent>("sns");
  EXPECT_EQ(event.records.at(0).sns.message, "Hello from SNS!");
  EXPECT_EQ(event.records.at(0).sns.subject, "");
  EXPECT_EQ(event.records.at(0).sns.message_attributes.at("Test").value, "TestString");
}

TEST(Events, S3) {
  const auto event = round_trip<S3Event>("s3");
  EXPECT_EQ(event.records.at(0).s3.object.size, 5368709120);
  EXPECT_EQ(event.records.at(0).s3.object.decoded_key(), "summer 2024/caf\xC3\xA9+1.jpg");
  EXPECT_FALSE(event.records.at(1).s3.object.size.has_value());
}

TEST(Events, Kinesis) {
  const auto event = round_trip<KinesisEvent>("kinesis");
  EXPECT_EQ(event.records.at(0).kinesis.data, "Hello, this is a test.");
  EXPECT_EQ(event.records.at(0).kinesis.approximate_arrival_timestamp.text, "1545084650.987");
  EXPECT_DOUBLE_EQ(event.records.at(0).kinesis.approximate_arrival_timestamp.to_double(), 1545084650.987);
  EXPECT_EQ((*event.other.find("state"))["1"].number()->to_int64(), 282);
}

TEST(Events, DynamoDb) {
  const auto event = round_trip<DynamoDbEvent>("dynamodb");
  const DynamoDbChange& change = event.records.at(0).dynamodb;
  EXPECT_EQ(change.keys.at("Id").number()->text, "101");
  EXPECT_EQ(change.new_image.at("Price").number()->text, "12345678901234567890.123456789012345678");
  EXPECT_EQ(change.new_image.at("Raw").binary()->bytes, std::string("\0\1*A", 4));
  EXPECT_FALSE(*change.new_image.at("Active").boolean());
  EXPECT_TRUE(std::holds_alternative<std::monostate>(change.new_image.at("Gone").value));
  EXPECT_EQ(*change.new_image.at("Tags").list()->at(0).string(), "x");
  EXPECT_EQ(change.approximate_creation_date_time.to_int64(), 1675286400);
  EXPECT_EQ(*event.records.at(1).user_identity["type"].string(), "Service");
  const auto later = parse<DynamoDbEvent>(R"({"Records":[{"dynamodb":{"Keys":{"k":{"NEW":[1.50]}}}}]})");
  EXPECT_EQ(to_json(later), R"({"Records":[{"dynamodb":{"Keys":{"k":{"NEW":[1.50]}}}}]})");
}

TEST(Events, EventBridgeKeepsEveryDigitOfTheDetail) {
  const auto event = round_trip<EventBridgeEvent>("eventbridge");
  EXPECT_EQ(event.detail_type, "EC2 Instance State-change Notification");
  EXPECT_EQ(json::write(event.detail["cost"]), "[0.10,-0,1e400,123456789012345678901234567890.5]");
  EXPECT_FALSE(event.is_scheduled());
  EXPECT_TRUE(round_trip<ScheduledEvent>("scheduled").is_scheduled());
}

TEST(Events, Iot) {
  EXPECT_EQ(round_trip<IotButtonEvent>("iot_button").click_type, "SINGLE");
  const auto request = round_trip<IotAuthorizerRequest>("iot_authorizer");
  EXPECT_EQ(request.protocol_data.mqtt.password, std::string("passw\xF6rd\0", 9));
  EXPECT_EQ(round_trip<IotProvisioningRequest>("iot_provisioning").parameters.at("SerialNumber"), "12345");
  IotAuthorizerResponse response;
  response.is_authenticated = true;
  response.principal_id = "device1";
  response.policy_documents.push_back(json::parse(R"({"Version":"2012-10-17","Statement":[]})"));
  EXPECT_EQ(to_json(response), R"({"isAuthenticated":true,"principalId":"device1","disconnectAfterInSeconds":86400,)"
                               R"("refreshAfterInSeconds":300,"policyDocuments":)"
                               R"([{"Version":"2012-10-17","Statement":[]}]})");
  EXPECT_EQ(to_json(IotProvisioningResponse()), R"({"allowProvisioning":false})");
  EXPECT_EQ(to_json(parse<IotRuleEvent>(R"({"t": 21.50})")), R"({"t":21.50})");
}

TEST(Events, ResponsesSayWhatTheServiceNeedsAndNoMore) {
  EXPECT_EQ(to_json(ApiGatewayResponse()), R"({"statusCode":200,"body":"","isBase64Encoded":false})");
  HttpApiResponse http;
  http.status_code = 201;
  http.headers["content-type"] = "text/plain";
  http.cookies.emplace_back("a=1; Secure");
  http.body = "gr\xC3\xBC\xC3\x9F";
  EXPECT_EQ(to_json(http), R"({"statusCode":201,"headers":{"content-type":"text/plain"},"cookies":["a=1; Secure"],)"
                           "\"body\":\"gr\xC3\xBC\xC3\x9F\",\"isBase64Encoded\":false}");
  AlbResponse binary;
  binary.status_description = "200 OK";
  binary.body = "\xFF\xFE";
  EXPECT_EQ(to_json(binary), R"({"statusCode":200,"statusDescription":"200 OK","body":"//4=","isBase64Encoded":true})");
  EXPECT_EQ(parse<AlbResponse>(to_json(binary)).body, "\xFF\xFE");
}

TEST(Events, MissingNullAndUnknownMembersAreFine) {
  EXPECT_TRUE(parse<SqsEvent>("{}").records.empty());
  EXPECT_TRUE(parse<SqsEvent>("null").records.empty());
  EXPECT_TRUE(parse<SqsEvent>(R"({"Records":null})").records.empty());
  const std::string_view text =
      R"({"Records":[{"body":null,"attributes":{},"new":{"x":[1,{"y":null}]},"awsRegion":""},null]})";
  auto event = parse<SqsEvent>(text);
  ASSERT_EQ(event.records.size(), 2U);
  event.records.pop_back();
  EXPECT_EQ(to_json(event), R"({"Records":[{"body":null,"attributes":{},"new":{"x":[1,{"y":null}]},"awsRegion":""}]})");
  event.records[0].body = "set";
  EXPECT_EQ(to_json(event),
            R"({"Records":[{"body":"set","attributes":{},"new":{"x":[1,{"y":null}]},"awsRegion":""}]})");
}

TEST(Events, OfARepeatedNameTheLastCounts) {
  const auto event = parse<EventBridgeEvent>(R"({"id":"a","id":"b","source":"s","source":null})");
  EXPECT_EQ(event.id, "b");
  EXPECT_EQ(event.source, "");
  EXPECT_EQ(to_json(event), R"({"id":"b","source":null})");
}

// In time that grows with their number, not with its square.
TEST(Events, OfVeryManyMembersOfAnyNamesTheLastOfEachCounts) {
  constexpr int kMembers = 200'000;
  std::string known = "{";
  std::string unknown = "{";
  std::string names = "{\"headers\":{";
  for (int i = 0; i < kMembers; ++i) {
    const std::string number = std::to_string(i);
    known += "\"id\":\"" + number + "\",\"source\":null,";
    unknown += "\"new\":" + number + ",";
    names += "\"x\":\"" + number + "\",\"x" + number + "\":\"\",";
  }
  const auto event = parse<EventBridgeEvent>(known + "\"id\":\"last\"}");
  EXPECT_EQ(event.id, "last");
  EXPECT_EQ(to_json(event), R"({"id":"last","source":null})");
  const std::string other = unknown + "\"new\":0}";
  EXPECT_EQ(to_json(parse<EventBridgeEvent>(other)), other) << "kept as they came";
  EXPECT_EQ(parse<AlbRequest>(names + "\"x\":\"last\"}}").headers.at("x"), "last");
}

TEST(Events, AWrongTypeIsNamedByItsPath) {
  EXPECT_EQ(refusal<SqsEvent>(R"({"Records":[{"body":7}]})"), "Records[0].body: a string is expected, not a number");
  EXPECT_EQ(refusal<SqsEvent>(R"({"Records":{}})"), "Records: an array is expected, not an object");
  EXPECT_EQ(refusal<SqsEvent>("[]"), "an object is expected, not an array");
  EXPECT_EQ(refusal<SqsEvent>(R"({"Records":[{},{"attributes":{"a":true}}]})"),
            "Records[1].attributes.a: a string is expected, not a boolean");
  EXPECT_EQ(refusal<HttpApiRequest>(R"({"requestContext":{"timeEpoch":1.5}})"),
            "requestContext.timeEpoch: an integer of 64 bits is expected, not 1.5");
  EXPECT_EQ(refusal<ApiGatewayResponse>(R"({"statusCode":4294967296})"),
            "statusCode: an integer of 32 bits is expected, not 4294967296");
  EXPECT_EQ(refusal<HttpApiRequest>(R"({"body":"a b","isBase64Encoded":true})"), "body: the string is not base64");
  EXPECT_EQ(refusal<ApiGatewayRequest>(R"({"multiValueHeaders":{"x":["a",2]}})"),
            "multiValueHeaders.x[1]: a string is expected, not a number");
  EXPECT_EQ(refusal<DynamoDbEvent>(R"({"Records":[{"dynamodb":{"NewImage":{"a":{"L":[{"B":"*"}]}}}}]})"),
            "Records[0].dynamodb.NewImage.a.L[0].B: the string is not base64");
  EXPECT_EQ(refusal<KinesisEvent>("{\"Records\":"), "not JSON: a value is expected (byte 11)");
  try {
    static_cast<void>(parse<S3Event>(R"({"Records":[{"s3":{"object":{"size":"1"}}}]})"));
    FAIL();
  } catch (const EventError& error) {
    EXPECT_EQ(error.path(), "Records[0].s3.object.size");
  }
}

TEST(Events, HandlerReadsTheEventAndWritesTheResponse) {
  const ogni::Handler typed = handler([](const HttpApiRequest& request, const Context& context) {
    HttpApiResponse response;
    response.body = request.raw_path + " " + std::string(context.request_id);
    return response;
  });
  Context context;
  context.request_id = "id-1";
  EXPECT_EQ(typed(Event{R"({"rawPath":"/a"})", {}}, context).body(),
            R"({"statusCode":200,"body":"/a id-1","isBase64Encoded":false})");
  EXPECT_THROW(typed(Event{R"({"rawPath":1})", {}}, context), EventError);

  int calls = 0;
  const ogni::Handler silent = handler([&calls](const S3Event&) { ++calls; });
  EXPECT_EQ(silent(Event{"{}", {}}, context).body(), "null");
  EXPECT_EQ(calls, 1);
  const ogni::Handler raw = handler([](const json::Value& any) { return Response::failure("A.B", json::write(any)); });
  EXPECT_EQ(raw(Event{" [ 1 ] ", {}}, context).error_message(), "[1]");
  const ogni::Handler text = handler([](const EventBridgeEvent& e) { return "\"" + e.id + "\""; });
  EXPECT_EQ(text(Event{R"({"id":"x"})", {}}, context).body(), "\"x\"");
}

}  // namespace
}  // namespace ogni::events
