#include "package/detect.h"

#include <gtest/gtest.h>

#include "package/temporary_folder.h"

namespace ogni::package {
namespace {

// A folder of interpreters of our own, so that the test does not depend on the host's.
class Detect : public testing::Test {
 protected:
  Detect() {
    for (const char* name : {"python3.9", "python3.11", "python3.2-config", "python3", "python2.7"}) {
      interpreters_.write(name, "", 0755);
    }
    interpreters_.write("python3.99", "", 0644);
  }

  Result<Guess> guess(Hints hints = {}) {
    hints.interpreters = interpreters_.string();
    return detect(folder_.string(), hints);
  }
  void expect_refusal(const std::string& words, const Hints& hints = {}) {
    auto refused = guess(hints);
    ASSERT_FALSE(refused) << refused->runtime << " " << refused->handler;
    EXPECT_NE(refused.error().message().find(words), std::string::npos) << refused.error().message();
  }

  TemporaryFolder folder_;
  TemporaryFolder interpreters_;
};

TEST_F(Detect, ExecutableBootstrapIsACustomRuntime) {
  folder_.write("bootstrap",
                "\x7f"
                "ELF",
                0755);
  auto found = guess();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->runtime, "provided.al2023");
  EXPECT_EQ(found->handler, "bootstrap");
  EXPECT_TRUE(found->extra.empty());
  EXPECT_TRUE(found->notes.empty());
}

TEST_F(Detect, ScriptBesideABootstrapNamesTheHandler) {
  folder_.write("bootstrap", "#!/bin/sh\n", 0755);
  folder_.write("function.sh", "function handler () {\n  :\n}\nhelper() { :; }\n");
  auto found = guess();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->handler, "function.handler");
  EXPECT_TRUE(found->extra.empty());
}

TEST_F(Detect, BootstrapThatIsNotExecutableIsRefusedWithTheRemedy) {
  folder_.write("bootstrap", "#!/bin/sh\n", 0644);
  expect_refusal("chmod +x");
}

TEST_F(Detect, LoneScriptGetsTheDefaultBootstrapAndSaysSo) {
  folder_.write("hello.sh", "greet() {\n  echo hi\n}\n");
  auto found = guess();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->runtime, "provided.al2023");
  EXPECT_EQ(found->handler, "hello.greet");
  ASSERT_EQ(found->extra.size(), 1U);
  EXPECT_EQ(found->extra[0].path, "bootstrap");
  EXPECT_EQ(found->extra[0].mode, 0755U);
  EXPECT_TRUE(found->extra[0].bytes.starts_with("#!/")) << "a script that the kernel can start";
  ASSERT_EQ(found->notes.size(), 1U);
  EXPECT_EQ(found->notes[0],
            "no bootstrap in " + folder_.string() + ": added Ogni's default bash bootstrap, as the AWS console does");
}

TEST_F(Detect, FunctionNamedHandlerWins) {
  folder_.write("hello.sh", "helper() { :; }\nhandler() { helper; }\n  nested() { :; }\n");
  EXPECT_EQ(guess().value().handler, "hello.handler");
}

TEST_F(Detect, LayersBringTheBootstrap) {
  folder_.write("hello.sh", "handler() { :; }\n");
  auto found = guess({.bootstrap = BootstrapPolicy::kNever});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->handler, "hello.handler");
  EXPECT_TRUE(found->extra.empty());
  ASSERT_EQ(found->notes.size(), 1U);
}

TEST_F(Detect, AmbiguousScriptsAskForTheHandler) {
  folder_.write("a.sh", "one() { :; }\ntwo() { :; }\n");
  expect_refusal("several functions (one, two)");
  folder_.write("b.sh", "handler() { :; }\n");
  expect_refusal("several scripts (a.sh, b.sh)");
  auto told = guess({.handler = "a.two"});
  ASSERT_TRUE(told) << told.error().message();
  EXPECT_EQ(told->handler, "a.two");
  EXPECT_EQ(told->extra.size(), 1U);
}

TEST_F(Detect, ScriptWithoutAFunctionIsRefused) {
  folder_.write("a.sh", "echo hi\n");
  expect_refusal("defines no function");
}

TEST_F(Detect, PythonTakesTheNewestInterpreterAndTheUsualHandler) {
  folder_.write("lambda_function.py", "import json\ndef lambda_handler(event, context):\n    return 1\n");
  folder_.write("other.py", "def handler(event, context): ...\n");
  auto found = guess();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->runtime, "python3.11");
  EXPECT_EQ(found->handler, "lambda_function.lambda_handler");
}

TEST_F(Detect, PythonHandlerIsFoundByItsDefinitionAtTopLevel) {
  folder_.write("app.py", "class A:\n    def handler(self, e): ...\n");
  folder_.write("main.py", "async def handler(event, context): ...\n");
  EXPECT_EQ(guess().value().handler, "main.handler");
}

TEST_F(Detect, PythonWithoutOrWithSeveralHandlersIsRefused) {
  folder_.write("app.py", "def main(): ...\n");
  expect_refusal("--handler MODULE.FUNCTION");
  folder_.write("one.py", "def handler(e, c): ...\n");
  folder_.write("two.py", "def lambda_handler(e, c): ...\n");
  expect_refusal("one.handler, two.lambda_handler");
}

TEST_F(Detect, PythonAndShellTogetherAskUnlessOnlyOneIsAFunction) {
  folder_.write("app.py", "def handler(e, c): ...\n");
  folder_.write("build.sh", "echo no function\n");
  EXPECT_EQ(guess().value().handler, "app.handler");
  folder_.write("build.sh", "handler() { :; }\n");
  expect_refusal("both shell and Python");
  EXPECT_EQ(guess({.handler = "build.handler"}).value().runtime, "provided.al2023");
  EXPECT_EQ(guess({.handler = "app.handler"}).value().runtime, "python3.11");
}

TEST_F(Detect, WhatTheCallerSaysIsKept) {
  folder_.write("app.py", "def handler(e, c): ...\n");
  auto found = guess({.runtime = "python3.12", .handler = "x.y"});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->runtime, "python3.12");
  EXPECT_EQ(found->handler, "x.y");
}

TEST_F(Detect, FolderOfSomethingElseIsRefusedWithTheWayOut) {
  folder_.write("index.js", "");
  expect_refusal("--runtime");
}

TEST_F(Detect, HostilePlaceNamesDoNotReachTheTerminal) {
  folder_.write("a.sh", "one() { :; }");
  folder_.write("\x1b[2J.sh", "two() { :; }");
  auto refused = guess();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message().find('\x1b'), std::string::npos);
}

TEST_F(Detect, NoPythonOnTheHostIsSaid) {
  folder_.write("app.py", "def handler(e, c): ...\n");
  const TemporaryFolder nothing;
  auto refused = detect(folder_.string(), {.interpreters = nothing.string()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(newest_python(nothing.string()), "");
}

}  // namespace
}  // namespace ogni::package
