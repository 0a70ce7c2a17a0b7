#include "service/http/parser.h"

#include <gtest/gtest.h>

namespace ogni::http {
namespace {

TEST(RequestParser, WaitsForTheWholeHeadThenFillsTheRequest) {
  const std::string bytes =
      "PUT /a%20b?c=d HTTP/1.1\r\nHost: localhost\r\nx-one:  1 \r\nX-One: 2\r\nContent-Length: 7\r\n\r\nrest";
  RequestParser parser(1024);
  Request request;

  for (std::size_t size = 0; size < bytes.size() - 4; ++size) {
    ASSERT_EQ(parser.parse_head(std::string_view(bytes).substr(0, size), request).value().bytes, 0U);
  }
  const RequestParser::Head head = parser.parse_head(bytes, request).value();

  EXPECT_EQ(head.bytes, bytes.size() - 4);
  EXPECT_EQ(head.body, RequestParser::Body::kLength);
  EXPECT_EQ(head.body_bytes, 7U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(request.method(), Method::kPut);
  EXPECT_EQ(request.path(), "/a%20b");
  EXPECT_EQ(request.query_value("c"), "d");
  EXPECT_EQ(request.header("X-ONE"), "1");
  EXPECT_EQ(request.count_headers("x-one"), 2U);
  EXPECT_EQ(request.find_header("x-two"), std::nullopt);
}

// Found by fuzzing: an empty body whose last chunk came byte by byte ran into an assertion of Beast.
TEST(RequestParser, TakesTheLastChunkByteByByte) {
  RequestParser parser(1024);
  Request request;
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  ASSERT_EQ(parser.parse_head(head, request).value().body, RequestParser::Body::kChunked);
  const std::string_view chunks = "0\r\nTrailer: x\r\n\r\n";
  std::string body;

  for (std::size_t size = 0; size < chunks.size(); ++size) {
    const auto parsed = parser.parse_chunks(chunks.substr(0, size), body, 10).value();
    ASSERT_FALSE(parsed.complete);
    ASSERT_EQ(parsed.bytes, 0U);
  }
  const auto parsed = parser.parse_chunks(chunks, body, 10).value();
  EXPECT_TRUE(parsed.complete);
  EXPECT_EQ(parsed.bytes, chunks.size());
  EXPECT_EQ(body, "");
}

TEST(RequestParser, KeepsTrailersApartFromHeaders) {
  RequestParser parser(1024);
  Request request;
  const std::string head = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  ASSERT_TRUE(parser.parse_head(head, request));
  EXPECT_EQ(parser.trailer("X-One"), "");
  std::string body;
  const auto chunks =
      parser.parse_chunks("1\r\na\r\n0\r\nx-one: 1\r\nHost: y\r\nExpect: 100-continue\r\n\r\n", body, 10).value();

  EXPECT_TRUE(chunks.complete);
  EXPECT_EQ(body, "a");
  EXPECT_EQ(parser.trailer("X-ONE"), "1");
  EXPECT_EQ(request.find_header("x-one"), std::nullopt);
  EXPECT_EQ(request.count_headers("Host"), 1U);
  parser.reset();
  EXPECT_EQ(parser.trailer("x-one"), "") << "of the request before";
}

TEST(RequestParser, RefusesAHeadOrTrailersOfTooManyFields) {
  const auto fields = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "a:\r\n";
    return text + "\r\n";
  };
  const std::string begin = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n";
  for (const std::size_t beyond : {0U, 1U}) {
    RequestParser parser(1 << 20);
    Request request;
    const auto head = parser.parse_head(begin + fields(RequestParser::kFieldsMax - 1 + beyond), request);
    EXPECT_EQ(head.has_value(), beyond == 0);
    if (!head) EXPECT_EQ(head.error().code(), ErrorCode::kTooLarge);
  }
  RequestParser parser(1 << 20);
  Request request;
  ASSERT_TRUE(parser.parse_head(begin + "\r\n", request));
  std::string body;
  EXPECT_FALSE(parser.parse_chunks("0\r\n" + fields(RequestParser::kFieldsMax), body, 10));
}

// Such heads were kept up to their last byte, and searched 4 bytes at a time, before their fields were counted.
TEST(RequestParser, RefusesTooManyFieldsBeforeTheHeadIsComplete) {
  RequestParser parser(1 << 20);
  Request request;
  std::string bytes = "POST / HTTP/1.1\r\n";
  for (std::size_t i = 0; i < RequestParser::kFieldsMax; ++i) bytes += "a:\r\n";
  ASSERT_EQ(parser.parse_head(bytes, request).value().bytes, 0U);
  EXPECT_EQ(parser.head_lines(), RequestParser::kFieldsMax + 1);

  bytes += "a:\r\n";
  ASSERT_EQ(parser.parse_head(bytes, request).value().bytes, 0U) << "the line may be the end";
  bytes += "a:\r\n";
  const auto refused = parser.parse_head(bytes, request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kTooLarge);
}

TEST(RequestParser, SearchesNoFurtherThanTheLinesThatAHeadMayHave) {
  RequestParser parser(1 << 20);
  Request request;
  std::string bytes = "POST / HTTP/1.1\r\n";
  for (int i = 0; i < 200'000; ++i) bytes += "a:\r\n";
  EXPECT_FALSE(parser.parse_head(bytes + "\r\n", request));
  EXPECT_LE(parser.head_lines(), RequestParser::kFieldsMax + 3);
  parser.reset();
  EXPECT_EQ(parser.head_lines(), 0U);
}

TEST(RequestParser, CountsTheChunksThatBegin) {
  RequestParser parser(1024);
  Request request;
  ASSERT_TRUE(parser.parse_head("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", request));
  std::string body;
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += "1\r\na\r\n";
  const auto some = parser.parse_chunks(bytes, body, 1000).value();
  EXPECT_GE(some.begun, 99U);
  const auto rest = parser.parse_chunks(bytes.substr(some.bytes) + "1\r\na\r\n0\r\n\r\n", body, 1000).value();
  EXPECT_EQ(some.begun + rest.begun, 102U) << "the last one ends the body";
  EXPECT_EQ(body.size(), 101U);
}

TEST(RequestParser, FindsTheEndOfATooLargeBody) {
  RequestParser parser(1024);
  Request request;
  ASSERT_TRUE(parser.parse_head("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", request));
  std::string body;
  const std::string bytes = "2\r\nab\r\n4\r\ncdef\r\n1\r\ng\r\n0\r\n\r\n";
  const auto chunks = parser.parse_chunks(bytes + "GET", body, 5).value();

  EXPECT_TRUE(chunks.too_large);
  EXPECT_TRUE(chunks.complete);
  EXPECT_EQ(chunks.bytes, bytes.size());
  EXPECT_EQ(body, "ab");
}

TEST(RequestParser, KnowsWhenAConnectionMayGoOn) {
  const auto keep_alive = [](std::string bytes) {
    RequestParser parser(1024);
    Request request;
    return parser.parse_head(bytes + "\r\n\r\n", request).value().keep_alive;
  };
  EXPECT_TRUE(keep_alive("GET / HTTP/1.1"));
  EXPECT_FALSE(keep_alive("GET / HTTP/1.1\r\nConnection: close"));
  EXPECT_FALSE(keep_alive("GET / HTTP/1.0"));
  EXPECT_TRUE(keep_alive("GET / HTTP/1.0\r\nConnection: keep-alive"));
}

TEST(RequestParser, KeepsValuesWholeAndOneResponseHeaderOneLine) {
  Response response(200);
  response.add_header("X-A", "v\r\nX-B: injected");

  EXPECT_EQ(response.header_text(), "X-A: v  X-B: injected\r\n");
  EXPECT_EQ(response.header("x-a"), "v  X-B: injected");
  EXPECT_EQ(response.header("X-B"), "");
}

}  // namespace
}  // namespace ogni::http
