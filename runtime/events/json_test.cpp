#include "ogni/json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>
#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>

#include <random>
#endif

#include "runtime/events/base64.h"

namespace ogni::json {
namespace {

std::string again(std::string_view text) { return write(parse(text)); }

TEST(Json, WritesWhatItReads) {
  for (const char* text : {"null", "true", "false", "0", "-0", "1.50", "1E+2", "-1e-999", "\"\"", "[]", "{}", "[[],{}]",
                           R"({"b":1,"a":[null,true,"x"],"b":2})", "\"\xF0\x9F\x98\x80\""})
    EXPECT_EQ(again(text), text);
  EXPECT_EQ(again(" [ 1 ,\t2 ]\r\n"), "[1,2]");
  EXPECT_EQ(again(R"("\u00e4\ud83d\ude00\/\"\\\b\f\n\r\t\u0001")"),
            "\"\xC3\xA4\xF0\x9F\x98\x80/\\\"\\\\\\b\\f\\n\\r\\t\\u0001\"");
  EXPECT_EQ(again(R"("\ud800x\udc00\ud800\ud800\udc00")"), "\"\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD\xF0\x90\x80\x80\"");
  EXPECT_EQ(write(Value(std::string("\xFF\xC3"))), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(Json, KeepsTheDigitsOfWholeNumbersOfEveryKind) {
  EXPECT_EQ(write(Value(std::uint64_t{9'007'199'254'740'993U})), "9007199254740993");
  EXPECT_EQ(write(Value(~std::uint64_t{0})), "18446744073709551615");
  EXPECT_EQ(write(Value(std::int64_t{-9'007'199'254'740'993})), "-9007199254740993");
  EXPECT_EQ(write(Value(7)), "7");
  EXPECT_EQ(Number(7).text, "7");
  EXPECT_EQ(write(Value(true)), "true");
  EXPECT_EQ(write(Value(0.5)), "0.5");
}

TEST(Json, RefusesWhatIsNotJsonAndSaysWhere) {
  const struct {
    const char* text;
    std::size_t offset;
  } cases[] = {{"", 0},
               {"[1,]", 3},
               {"{\"a\"}", 4},
               {"{a:1}", 1},
               {"01", 1},
               {"1.", 2},
               {"+1", 0},
               {".5", 0},
               {"1e", 2},
               {"nul", 0},
               {"[1 2]", 3},
               {"\"\\x\"", 2},
               {"\"\\u12\"", 5},
               {"\"a\nb\"", 2},
               {"\"\xC3\x28\"", 1},
               {"\"abc", 4},
               {"1 1", 2},
               {"{\"a\":1,}", 7},
               {"-", 1},
               {"NaN", 0},
               {"'a'", 0},
               {"\"\xED\xA0\x80\"", 1},
               {"[", 1},
               {"{\"a\":", 5}};
  for (const auto& [text, offset] : cases) {
    try {
      parse(text);
      ADD_FAILURE() << text;
    } catch (const SyntaxError& error) {
      EXPECT_EQ(error.offset(), offset) << text;
    }
  }
}

TEST(Json, DepthIsLimited) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(again(nested(kDepthMax)), nested(kDepthMax));
  EXPECT_THROW(parse(nested(kDepthMax + 1)), SyntaxError);
  EXPECT_THROW(parse(std::string(10'000'000, '[')), SyntaxError);
}

TEST(Json, NumbersAreExact) {
  const auto whole = [](const char* digits) { return Number(std::string(digits)).to_int64(); };
  EXPECT_EQ(whole("12"), 12);
  EXPECT_EQ(whole("-12.000"), -12);
  EXPECT_EQ(whole("1.2e1"), 12);
  EXPECT_EQ(whole("1200e-2"), 12);
  EXPECT_EQ(whole("0.0000012e7"), 12);
  EXPECT_EQ(whole("0e99999999999"), 0);
  EXPECT_EQ(whole("-0"), 0);
  EXPECT_EQ(whole("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(whole("-9223372036854775808"), INT64_MIN);
  for (const char* no :
       {"9223372036854775808", "1.5", "1e-1", "1e19", "1e400", "1e99999999999", "12.0000000000000000001"})
    EXPECT_FALSE(whole(no)) << no;
  EXPECT_EQ(Number(std::string("1e400")).to_double(), HUGE_VAL);
  EXPECT_EQ(Number(std::string("-0.1e999")).to_double(), -HUGE_VAL);
  EXPECT_EQ(Number(std::string("1e-400")).to_double(), 0);
  EXPECT_EQ(Number(0.1).text, "0.1");
  EXPECT_EQ(Number(std::int64_t{-5}).text, "-5");
  EXPECT_EQ(Number(std::nan("")).text, "0");
}

TEST(Json, APathCanBeFollowedWithoutChecks) {
  const Value value = parse(R"({"a":[{"b":"x"}],"a2":1})");
  EXPECT_EQ(*value["a"][0]["b"].string(), "x");
  EXPECT_TRUE(value["a"][1]["b"]["c"].is_null());
  EXPECT_TRUE(value[0].is_null());
  Object made;
  made.set("x", 1);
  made.set("x", "two");
  made.set("y", Array{true, nullptr, 0.5});
  EXPECT_EQ(write(made), R"({"x":"two","y":[true,null,0.5]})");
}

TEST(Base64, RoundTripsAndRefusesTheRest) {
  using events::base64_decode;
  using events::base64_encode;
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
  EXPECT_EQ(base64_encode("Ma"), "TWE=");
  EXPECT_EQ(base64_decode("TWE"), "Ma");
  for (const char* no : {"T", "T===", "TW=E", "TWE=\n", "TW E", "====", "TWE=TWE="})
    EXPECT_FALSE(base64_decode(no)) << no;
}

#if __has_include(<nlohmann/json.hpp>)
// An independent reader takes and refuses the same texts, and reads the same from them.
TEST(Json, AgreesWithAnIndependentReader) {
  const std::vector<std::string> pieces = {
      "{",  "}",  "[",        "]",    ",",    ":",       "\"",    "\"a\"",        "\"\\n\"", "\"\\u00e9\"",
      "1",  "-",  "0",        ".5",   "e3",   "E-2",     "true",  "null",         "false",   " ",
      "\n", "\\", "\xC3\xA4", "\xC3", "\x01", "\"k\":1", "[1,2]", "{\"k\":\"v\"}"};
  std::mt19937 random(1);
  std::uniform_int_distribution<std::size_t> piece(0, pieces.size() - 1);
  std::uniform_int_distribution<int> length(1, 7);
  int taken = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string text;
    for (int n = length(random); n > 0; --n) text += pieces[piece(random)];
    const auto theirs = nlohmann::json::parse(text, nullptr, false);
    try {
      const Value ours = parse(text);
      ASSERT_FALSE(theirs.is_discarded()) << text;
      ASSERT_EQ(nlohmann::json::parse(write(ours)), theirs) << text;
      ++taken;
    } catch (const SyntaxError&) {
      ASSERT_TRUE(theirs.is_discarded()) << text;
    }
  }
  EXPECT_GT(taken, 1000);
}
#else
TEST(Json, AgreesWithAnIndependentReader) { GTEST_SKIP() << "the package nlohmann-json3-dev is not installed"; }
#endif

}  // namespace
}  // namespace ogni::json
