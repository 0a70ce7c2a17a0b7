#include "bootstrap/shell_form.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

namespace ogni::bootstrap {
namespace {

// What bash makes of `words`, one after the other, in a locale.
std::string bash_prints(const std::string& words, const std::string& locale) {
  char path[] = "/tmp/ogni-quoted-XXXXXX";
  const int file = ::mkstemp(path);
  EXPECT_GE(file, 0);
  ::close(file);
  std::ofstream(path) << "IFS= read -r -N " << words.size() << " text <<'END'\n"
                      << words << "\nEND\n"
                      << "eval \"printf %s $text\"\n";
  const std::string command = "LC_ALL=" + locale + " bash " + path;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> output(::popen(command.c_str(), "r"), &::pclose);
  std::string result;
  char buffer[4096];
  for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, output.get())) > 0;)
    result.append(buffer, count);
  ::unlink(path);
  return result;
}

TEST(ShellForm, AQuotedWordIsAsciiAndTheTextInEveryLocale) {
  std::string every_byte;
  for (int byte = 1; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  for (const std::string& text :
       {std::string("plain"), std::string(), std::string("it's '' $HOME `x` \\ \" ! #\n\tend\n"),
        std::string("\\'\x01'0"), std::string("\xc3\xa4\xe2\x82\xac'"),
        std::string("\xff\xfe"
                    "7"),
        every_byte}) {
    std::string word;
    append_quoted(word, text);
    EXPECT_TRUE(std::all_of(word.begin(), word.end(), [](char c) { return c > 0 && c < 127; })) << word;
    for (const char* locale : {"C", "C.UTF-8"}) EXPECT_EQ(bash_prints(word + "x", locale), text + "x") << word;
  }
}

TEST(ShellForm, NulBytesAreLeftOut) {
  std::string word;
  append_quoted(word, std::string_view("a\0b", 3));
  EXPECT_EQ(bash_prints(word, "C"), "ab");
}

TEST(ShellForm, ARequestIsABlockOrSaysHowMuchFollowsIt) {
  std::vector<Descriptor> files;
  for (int i = 0; i < 2; ++i) files.push_back(memory_file("test", "old content"));
  ShellForm form(::getpid(), files);
  const std::string large(ShellForm::kQuotedEventMax + 1, 'x');
  const std::string quoted(ShellForm::kQuotedEventMax, 'x');
  for (const std::string& event : {std::string(), std::string("{}"), quoted, large}) {
    ASSERT_TRUE(form.prepare({.request_id = "id", .event = event}));
    const std::string request(form.request());
    const std::string more = "_ogni_more ";
    if (request.starts_with(more)) {
      EXPECT_EQ(std::stoul(request.substr(more.size())), request.size() - ShellForm::kBlockBytes);
    } else {
      EXPECT_EQ(request.size(), ShellForm::kBlockBytes);
    }
    EXPECT_EQ(request.find("xxx") != std::string::npos, event == quoted);
    EXPECT_EQ(form.printed(), "");
    ASSERT_EQ(::write(files[1].get(), "ab", 2), 2);
    ASSERT_EQ(::write(files[1].get(), std::string("\0c", 2).data(), 2), 2);
    EXPECT_EQ(form.printed(), std::string_view("ab\0c", 4));
    std::string content(event.size() + 1, 0);
    EXPECT_EQ(::read(files[0].get(), content.data(), content.size()), static_cast<ssize_t>(event.size()));
    EXPECT_EQ(content.substr(0, event.size()), event);
  }
}

// The word after `_ogni_renew` and `skipped` more.
std::string renewed(const ShellForm& form, std::size_t skipped) {
  std::string text(form.request());
  const std::size_t at = text.find("_ogni_renew '");
  if (at == std::string::npos) return {};
  text.erase(0, at);
  for (std::size_t i = 0; i <= skipped; ++i) text.erase(0, text.find(" '") + 2);
  return text.substr(0, text.find('\''));
}

TEST(ShellForm, NewFilesAreNamedWhereSomebodyMayHoldTheOldOnes) {
  if (::access("/proc/thread-self/children", R_OK) != 0) GTEST_SKIP() << "this kernel does not list children";
  std::vector<Descriptor> files;
  for (int i = 0; i < 2; ++i) files.push_back(memory_file("test", {}));
  for (const int dumpable : {1, 0}) {
    ShellForm form(::getpid(), files);
    ASSERT_TRUE(form.prepare({.request_id = "id", .event = "{}"}));
    EXPECT_EQ(renewed(form, 0), "");
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    ::prctl(PR_SET_DUMPABLE, dumpable);
    ASSERT_TRUE(form.prepare({.request_id = "id", .event = "{}"}));
    ::prctl(PR_SET_DUMPABLE, 1);
    const std::string event = renewed(form, 0);
    const std::string output = renewed(form, 1);
    EXPECT_EQ(event.starts_with("/proc/"), dumpable == 1) << event;
    std::string content;
    EXPECT_TRUE(std::getline(std::ifstream(event), content));
    EXPECT_EQ(content, "{}");
    std::ofstream(output, std::ios::app) << "printed";
    EXPECT_EQ(form.printed(), "printed");
    ASSERT_TRUE(form.prepare({.request_id = "id", .event = "{}"}));
    EXPECT_EQ(renewed(form, 0), "");
    EXPECT_EQ(::access(output.c_str(), F_OK) == 0, dumpable == 1);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
}

}  // namespace
}  // namespace ogni::bootstrap
