#include "runtime/http_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace ogni::runtime {
namespace {

using State = ResponseParser::State;

constexpr std::size_t kBodyMax = 1024 * 1024;

// Gives `bytes` to the parser, at most `piece` at once. Returns how many it took.
std::size_t feed(ResponseParser& parser, std::string_view bytes, std::size_t piece) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const ResponseParser::Space space = parser.space();
    if (space.size == 0) break;
    const std::size_t count = std::min({space.size, piece, bytes.size() - taken});
    std::memcpy(space.data, bytes.data() + taken, count);
    parser.commit(count);
    taken += count;
  }
  return taken;
}

struct Expected {
  std::string text;
  int status;
  std::string body;
  std::string request_id;
  bool keep_alive = true;
  bool ends_by_close = false;
};

const std::vector<Expected>& valid_responses() {
  static const std::vector<Expected> responses = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLambda-Runtime-Aws-Request-Id: abc\r\n\r\nhello", 200, "hello", "abc"},
      {"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{\"status\":\"OK\"}\n",
       202, "{\"status\":\"OK\"}\n", ""},
      {"HTTP/1.1 200\r\nLAMBDA-RUNTIME-AWS-REQUEST-ID:\t x y \t\r\nCONTENT-LENGTH:0\r\n\r\n", 200, "", "x y"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00A;ext=\"1\"\r\n, world!!!\r\n0\r\n\r\n",
       200, "hello, world!!!", ""},
      {"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nY: \r\n\r\n",
       200, "a", ""},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 403 "
       "Forbidden\r\nContent-Length: "
       "2\r\nConnection: close\r\n\r\nno",
       403, "no", "", false},
      {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", ""},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a", "", false},
      {"HTTP/1.0 200 OK\r\nConnection: foo, Keep-Alive\r\nContent-Length: 1\r\n\r\na", 200, "a", ""},
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", ""},
      {"HTTP/1.1 500 Oops\r\nServer: x\r\n\r\nuntil the end", 500, "until the end", "", false, true},
  };
  return responses;
}

void expect_parsed(const ResponseParser& parser, const Expected& expected) {
  ASSERT_EQ(parser.state(), State::kDone) << expected.text;
  EXPECT_EQ(parser.status(), expected.status);
  EXPECT_EQ(parser.body(), expected.body);
  EXPECT_EQ(parser.header("Lambda-Runtime-Aws-Request-Id"), expected.request_id);
  EXPECT_EQ(parser.keep_alive(), expected.keep_alive) << expected.text;
}

TEST(ResponseParser, ReadsAResponseSplitAtEveryByte) {
  for (const Expected& expected : valid_responses()) {
    for (std::size_t split = 0; split <= expected.text.size(); ++split) {
      ResponseParser parser(kBodyMax);
      const std::string_view text = expected.text;
      EXPECT_EQ(feed(parser, text.substr(0, split), text.size()), split);
      EXPECT_EQ(feed(parser, text.substr(split), text.size()), text.size() - split);
      if (expected.ends_by_close) parser.finish();
      expect_parsed(parser, expected);
    }
  }
}

TEST(ResponseParser, ReadsAResponseByteByByte) {
  for (const Expected& expected : valid_responses()) {
    ResponseParser parser(kBodyMax);
    EXPECT_EQ(feed(parser, expected.text, 1), expected.text.size());
    if (expected.ends_by_close) parser.finish();
    expect_parsed(parser, expected);
  }
}

TEST(ResponseParser, ReadsSeveralResponsesOfOneConnection) {
  for (std::size_t piece = 1; piece < 200; ++piece) {
    ResponseParser parser(kBodyMax);
    std::string stream;
    std::vector<const Expected*> sent;
    for (const Expected& expected : valid_responses()) {
      if (expected.ends_by_close) continue;
      stream += expected.text;
      sent.push_back(&expected);
    }
    std::size_t taken = 0;
    for (const Expected* expected : sent) {
      taken += feed(parser, std::string_view(stream).substr(taken), piece);
      expect_parsed(parser, *expected);
      parser.next_response();
    }
    EXPECT_EQ(taken, stream.size());
    EXPECT_EQ(parser.state(), State::kHead);
  }
}

TEST(ResponseParser, GivesUpAtTheEndOfAnIncompleteResponse) {
  for (const Expected& expected : valid_responses()) {
    const std::size_t head = expected.text.find("\r\n\r\n");
    for (std::size_t bytes = 0; bytes < expected.text.size(); ++bytes) {
      if (expected.ends_by_close && bytes >= head + 4) break;
      ResponseParser parser(kBodyMax);
      feed(parser, std::string_view(expected.text).substr(0, bytes), 7);
      EXPECT_EQ(parser.finish(), State::kFailed) << expected.text.substr(0, bytes);
    }
  }
}

TEST(ResponseParser, RefusesWhatCouldBeReadInTwoWays) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::vector<std::string> hostile = {
      "HTTP/2 200 OK\r\n\r\n",
      "HTTP/1.1 99 Low\r\n\r\n",
      "HTTP/1.1 600 High\r\n\r\n",
      "HTTP/1.1 2x0 OK\r\n\r\n",
      "HTTP/1.1  200 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      "\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
      ok + "Content-Length: 5, 5\r\n\r\n",
      ok + "Content-Length: -1\r\n\r\n",
      ok + "Content-Length: +5\r\n\r\n",
      ok + "Content-Length: 0x5\r\n\r\n",
      ok + "Content-Length: \r\n\r\n",
      ok + "Content-Length: 99999999999999999999\r\n\r\n",
      ok + "Content-Length: 1048577\r\n\r\n",
      ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      ok + "X: a\r\n folded\r\n\r\n",
      ok + "No-Colon\r\n\r\n",
      ok + ": empty\r\n\r\n",
      ok + "Bad Name: x\r\n\r\n",
      ok + "Name : x\r\n\r\n",
      ok + "X: a\nY: b\r\n\r\n",
      ok + std::string("X: a\0b\r\n\r\n", 10),
      ok + "X: a\rb\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\ng\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n5\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n100001\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\n",
  };
  for (const std::string& text : hostile) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, text.size()}) {
      ResponseParser parser(kBodyMax);
      feed(parser, text, piece);
      EXPECT_EQ(parser.state(), State::kFailed) << text;
    }
  }
}

TEST(ResponseParser, BoundsTheHead) {
  const std::string start = "HTTP/1.1 200 OK\r\nX: ";
  const std::string end = "\r\nContent-Length: 0\r\n\r\n";
  const std::size_t room = ResponseParser::kHeadBytesMax - start.size() - end.size();
  ResponseParser fits(kBodyMax);
  feed(fits, start + std::string(room, 'a') + end, 1000);
  EXPECT_EQ(fits.state(), State::kDone);
  EXPECT_EQ(fits.header("x").size(), room);

  ResponseParser too_long(kBodyMax);
  feed(too_long, start + std::string(room + 1, 'a') + end, 1000);
  EXPECT_EQ(too_long.state(), State::kFailed);

  ResponseParser endless(kBodyMax);
  EXPECT_LE(feed(endless, std::string(1'000'000, 'a'), 1000), ResponseParser::kHeadBytesMax + 1000);
  EXPECT_EQ(endless.state(), State::kFailed);

  std::string fields = "HTTP/1.1 200 OK\r\n";
  for (std::size_t i = 0; i <= ResponseParser::kFieldsMax; ++i) fields += "A: b\r\n";
  ResponseParser many(kBodyMax);
  feed(many, fields + "\r\n", 1000);
  EXPECT_EQ(many.state(), State::kFailed);

  std::string informational;
  for (int i = 0; i <= ResponseParser::kInformationalMax; ++i) informational += "HTTP/1.1 100 Continue\r\n\r\n";
  ResponseParser patient(kBodyMax);
  feed(patient, informational, 1000);
  EXPECT_EQ(patient.state(), State::kFailed);
}

TEST(ResponseParser, BoundsTrailersAndChunkExtensions) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& start : {chunked + "1;", chunked + "0\r\nX: "}) {
    ResponseParser parser(kBodyMax);
    EXPECT_LT(feed(parser, start + std::string(1'000'000, 'a'), 1000), std::size_t{200'000});
    EXPECT_EQ(parser.state(), State::kFailed);
  }
}

TEST(ResponseParser, BoundsABodyWithoutLength) {
  const std::string head = "HTTP/1.1 200 OK\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1000}, std::size_t{1} << 20}) {
    ResponseParser fits(kBodyMax);
    feed(fits, head + std::string(kBodyMax, 'a'), piece);
    EXPECT_EQ(fits.finish(), State::kDone);
    EXPECT_EQ(fits.body(), std::string(kBodyMax, 'a'));

    ResponseParser too_long(kBodyMax);
    feed(too_long, head + std::string(2 * kBodyMax, 'a'), piece);
    EXPECT_EQ(too_long.state(), State::kFailed);
  }
}

TEST(ResponseParser, ReadsALargeBodyIntoItsPlace) {
  const std::string body(kBodyMax, 'b');
  ResponseParser parser(kBodyMax);
  feed(parser, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n", 1000);
  ASSERT_EQ(parser.state(), State::kBody);
  EXPECT_EQ(parser.space().size, body.size()) << "the rest of the body could come in one receive";
  feed(parser, body, body.size());
  EXPECT_EQ(parser.state(), State::kDone);
  EXPECT_EQ(parser.body(), body);
  EXPECT_EQ(parser.excess(), 0U);
}

TEST(ResponseParser, SaysHowMuchCameTooMuch) {
  ResponseParser parser(kBodyMax);
  feed(parser, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP", 1000);
  EXPECT_EQ(parser.state(), State::kDone);
  EXPECT_EQ(parser.excess(), 4U);
}

}  // namespace
}  // namespace ogni::runtime
