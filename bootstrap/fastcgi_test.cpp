#include <gtest/gtest.h>

#include "bootstrap/fastcgi_exchange.h"
#include "bootstrap/fastcgi_record.h"

namespace ogni::bootstrap {
namespace {

using State = FastcgiReader::State;

std::string record(int type, std::string_view content, int padding = 0, int request = 1) {
  const int bytes = static_cast<int>(content.size());
  std::string result;
  for (const int value : {1, type, request >> 8, request, bytes >> 8, bytes, padding, 0}) {
    result += static_cast<char>(value & 0xFF);
  }
  return result.append(content).append(static_cast<std::size_t>(padding), 'p');
}

const std::string kEnd = record(3, std::string("\0\0\0\7\0\0\0\0", 8));

TEST(Fastcgi, ReadsAnAnswerSplitAtEveryByte) {
  const std::string bytes = record(6, "Status: 404 Not Found\r\n") + record(7, "a warning", 3) + record(6, "", 8) +
                            record(9, "management", 1, 0) + record(6, "\r\nbody", 2) + record(7, "!") + record(6, "") +
                            kEnd;
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    FastcgiReader reader(1000);
    reader.take(std::string_view(bytes).substr(0, split));
    EXPECT_EQ(reader.state(), split == bytes.size() ? State::kDone : State::kIncomplete) << split;
    reader.take(std::string_view(bytes).substr(split));
    ASSERT_EQ(reader.state(), State::kDone) << split;
    EXPECT_EQ(reader.output(), "Status: 404 Not Found\r\n\r\nbody");
    EXPECT_EQ(reader.take_errors(), "a warning!");
    EXPECT_EQ(reader.application_status(), 7u);
    EXPECT_FALSE(reader.has_excess());
  }
}

TEST(Fastcgi, RefusesWhatIsMalformed) {
  const std::string bad[] = {
      "\2" + kEnd.substr(1),                                                // another version
      record(6, "x", 0, 2),                                                 // another request
      record(5, "x"),                                                       // nothing that an application sends
      record(3, "short"),                                                   // no end
      record(3, std::string("\0\0\0\0\1\0\0\0", 8)),                        // refused: cannot multiplex
      record(6, std::string(900, 'x')) + record(6, std::string(200, 'x')),  // too much
  };
  for (const std::string& bytes : bad) EXPECT_EQ(FastcgiReader(1000).take(bytes), State::kFailed) << bytes;
  FastcgiReader reader(1000);
  reader.take(kEnd + "x");
  EXPECT_TRUE(reader.has_excess());
}

TEST(Fastcgi, WritesARequest) {
  std::string out;
  FastcgiWriter writer(out);
  writer.parameter("A", "b");
  writer.parameter("L", std::string(200, 'x'));
  writer.finish(std::string(70000, 'y'));
  EXPECT_EQ(out.substr(0, 16), std::string("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0", 16));
  EXPECT_EQ(out.substr(16, 8), std::string("\1\4\0\1\0\322\0\0", 8));
  EXPECT_EQ(out.substr(24, 10), std::string("\1\1Ab\1\200\0\0\310L", 10));
  EXPECT_EQ(out.substr(24 + 210, 16), std::string("\1\4\0\1\0\0\0\0\1\5\0\1\377\370\0\0", 16));
  EXPECT_EQ(out.size(), 16 + 8 + 210 + 8 + 8 + 65528 + 8 + 4472 + 8);
  EXPECT_EQ(out.substr(out.size() - 8), std::string("\1\5\0\1\0\0\0\0", 8));
}

TEST(Fastcgi, ReadsTheHeadOfACgiAnswer) {
  std::size_t bytes = 0;
  auto head = parse_cgi_head("Status: 201 Created\nX-A:  1 \nX-A: 2\n\nbody\n\n", bytes);
  ASSERT_TRUE(head);
  EXPECT_EQ(bytes, 37u);
  EXPECT_EQ(head->status, 201);
  ASSERT_EQ(head->fields.size(), 2u);
  EXPECT_EQ(head->fields[0].value, "1");
  head = parse_cgi_head("Location: /x\r\n\r\n", bytes);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 302);
  EXPECT_TRUE(parse_cgi_head("X: 1\r\n", bytes));
  EXPECT_EQ(bytes, 0u) << "there is more to come";
  for (const char* bad : {"no colon\n\n", ": x\n\n", "Status: x\n\n", "Status: 7\n\n", "a b: c\n\n"}) {
    EXPECT_FALSE(parse_cgi_head(bad, bytes)) << bad;
  }
  EXPECT_FALSE(parse_cgi_head(std::string(100000, 'x'), bytes));
}

}  // namespace
}  // namespace ogni::bootstrap
