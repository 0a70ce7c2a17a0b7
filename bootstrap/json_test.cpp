#include "bootstrap/json.h"

#include <gtest/gtest.h>

#include "bootstrap/text.h"
#include "runtime/json_text.h"

namespace ogni::bootstrap {
namespace {

TEST(Json, ReadsMembersWhereTheyLie) {
  const Json event = Json::parse(
      " {\"a\" : 1.5e-3 ,\"b\":[true, false ,null,\"x\"], \"nested\":{\"a\":{}}, \"\\u0061b\":\"\\\"\", "
      "\"a\":\"last\"}\n");
  ASSERT_TRUE(event.is(Json::Kind::kObject));
  EXPECT_EQ(event["a"].text(), "last");
  EXPECT_EQ(event["ab"].text(), "\"");
  EXPECT_EQ(event["nested"]["a"].raw(), "{}");
  EXPECT_FALSE(event["absent"]["more"]);
  std::string elements;
  for (JsonItems items(event["b"]); items.next();) elements.append(items.value().raw()).append(";");
  EXPECT_EQ(elements, "true;false;null;\"x\";");
  EXPECT_EQ(Json::parse(" 12 ").raw(), "12");
  EXPECT_FALSE(JsonItems(Json::parse("[ ]")).next());
}

TEST(Json, RefusesWhatIsNotStrictly) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[1,]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{a:1}",
                           "{\"a\":1,}",
                           "[1 2]",
                           "01",
                           "1.",
                           ".5",
                           "+1",
                           "1e",
                           "-",
                           "tru",
                           "nul",
                           "\"",
                           "\"\\x\"",
                           "\"\\u12g4\"",
                           "\"\n\"",
                           "'a'",
                           "1 2",
                           "\"\xff\"",
                           "\"\xed\xa0\x80\"",
                           "NaN"}) {
    EXPECT_FALSE(Json::parse(text)) << text;
  }
  EXPECT_TRUE(Json::parse(std::string(200, '[') + std::string(200, ']')));
  EXPECT_FALSE(Json::parse(std::string(1000000, '[')));
}

TEST(Json, DecodesStrings) {
  EXPECT_EQ(Json::parse(R"("\b\f\n\r\t\/\\\u00e4\ud83d\ude00ä")").text(), "\b\f\n\r\t/\\ä😀ä");
  EXPECT_EQ(Json::parse(R"("\ud83dx\ude00\ud83d\ud83d\ude00")").text(), "\uFFFDx\uFFFD\uFFFD😀");
  EXPECT_EQ(Json::parse(R"("a\u0000b")").text(), std::string("a\0b", 3));
}

TEST(Json, ReadsBackEveryStringThatIsWritten) {
  std::string bytes;
  for (int i = 0; i < 128; ++i) bytes += static_cast<char>(i);
  bytes += "äöü☃😀";
  std::string written;
  runtime::append_json_string(written, bytes);
  EXPECT_EQ(Json::parse(written).text(), bytes);
}

TEST(Base64, ReadsBackWhatIsWritten) {
  std::string bytes;
  for (int i = 0; i < 600; ++i) {
    std::string text;
    append_base64(text, bytes);
    std::string back;
    ASSERT_TRUE(decode_base64(text, back));
    EXPECT_EQ(back, bytes);
    bytes += static_cast<char>(i * 7);
  }
  std::string out;
  append_base64(out, "f");
  EXPECT_EQ(out, "Zg==");
  std::string back;
  EXPECT_TRUE(decode_base64("_-8", back));
  EXPECT_EQ(back, "\xff\xef");
  for (const char* bad : {"a", "a b=", "====", "Zg=x", "\n"}) EXPECT_FALSE(decode_base64(bad, back)) << bad;
}

}  // namespace
}  // namespace ogni::bootstrap
