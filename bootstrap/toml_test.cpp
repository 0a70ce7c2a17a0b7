#include "bootstrap/settings.h"

#include <gtest/gtest.h>

namespace ogni::bootstrap {
namespace {

bool is_known(std::string_view name) {
  return name == "way" || name == "http." || name == "http.command" || name == "http.port" || name == "http.stream";
}

std::string problem_of(std::string_view text) {
  TomlValues values;
  std::string problem;
  return parse_toml(text, is_known, values, problem) ? "none" : problem;
}

TEST(Toml, ReadsWhatAFunctionSets) {
  TomlValues values;
  std::string problem;
  ASSERT_TRUE(parse_toml(
                  "# beside the function\r\nway = 'htt\\p'  # literal\n\n[function]\nmemory = {a = 1}\n"
                  "x = 2024-01-01\n[ http ]\nport=8_0\ncommand = [\n  \"a b\", 'c\"', # two\n  \"\\u00e4\\n\",\n]\n"
                  "stream = true",
                  [](std::string_view name) { return is_known(name); }, values, problem) == false);
  EXPECT_EQ(problem, "line 8: a string, an integer, true, false or an array of strings is expected");

  values.clear();
  ASSERT_TRUE(
      parse_toml("# beside the function\r\nway = 'htt\\p'  # literal\n\n[function]\nmemory = {a = 1}\n"
                 "x = 2024-01-01\n[ http ]\nport=80\ncommand = [\n  \"a b\", 'c\"', # two\n  \"\\u00e4\\n\",\n]\n"
                 "stream = true",
                 is_known, values, problem))
      << problem;
  EXPECT_EQ(values, (TomlValues{{"way", "htt\\p"},
                                {"http.port", "80"},
                                {"http.command", "\"a b\" \"c\\\"\" \"ä\n\""},
                                {"http.stream", "true"}}));
  std::vector<std::string> words;
  ASSERT_TRUE(split_command(values["http.command"], words));
  EXPECT_EQ(words, (std::vector<std::string>{"a b", "c\"", "ä\n"}));
}

TEST(Toml, SkipsWhateverOtherTablesHold) {
  TomlValues values;
  std::string problem;
  ASSERT_TRUE(
      parse_toml("[other]\na = \"\"\"\n[http]\nport = 1 \\\"\"\" \n\"\"\"\nb = '''\nport = 2\n'''\nc = [ # ]\n"
                 "  [1, \"]\"],\n]\nd = {x = \"}\"}\n[http]\nport = 3\n[last]\ne = \"\"\"\nport = 4",
                 is_known, values, problem))
      << problem;
  EXPECT_EQ(values, (TomlValues{{"http.port", "3"}}));
}

TEST(Toml, NamesTheLineOfWhatItRefuses) {
  EXPECT_EQ(problem_of("\n\nwya = 1"), "line 3: there is no setting wya");
  EXPECT_EQ(problem_of("[http]\nport = 1\nport = 2"), "line 3: http.port is set twice");
  EXPECT_EQ(problem_of("way \"x\""), "line 1: '=' is expected after way");
  EXPECT_EQ(problem_of("way = \"x"), "line 1: a string is not closed");
  EXPECT_EQ(problem_of("way = \"x\n\""), "line 1: a string is not closed");
  EXPECT_EQ(problem_of("way = \"\\x\""), "line 1: no such escape in a string");
  EXPECT_EQ(problem_of("way = \"\\ud800\""), "line 1: no such character");
  EXPECT_EQ(problem_of("way = \"\"\"x\"\"\""), "line 1: strings of several lines are not read here");
  EXPECT_EQ(problem_of("way = 'a' b"), "line 1: something follows that does not belong there");
  EXPECT_EQ(problem_of("way = [1]"), "line 1: an array holds strings");
  EXPECT_EQ(problem_of("way = [\"a\" \"b\"]"), "line 1: ',' or ']' is expected");
  EXPECT_EQ(problem_of("= 1"), "line 1: a key is expected");
  for (const char* value : {"", "1.5", "tru", "-", "0x", "12:30", "{}", "\"\xff\""}) {
    EXPECT_NE(problem_of(std::string("way = ") + value), "none") << value;
  }
}

}  // namespace
}  // namespace ogni::bootstrap
