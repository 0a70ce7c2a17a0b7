#include "service/invocation/function_program.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ogni::service {
namespace {

catalogue::Function make_function() {
  catalogue::Function function;
  function.name = "hello";
  function.settings.runtime = "provided.al2023";
  function.settings.handler = "hello.handler";
  return function;
}

bool has(const sandbox::Program& program, const std::string& variable) {
  return std::ranges::find(program.variables, variable) != program.variables.end();
}

bool names(const sandbox::Program& program, const std::string& name) {
  return std::ranges::any_of(program.variables, [&](const auto& v) { return v.starts_with(name + "="); });
}

TEST(FunctionProgram, SeesWhatAProvidedRuntimeSeesOnAws) {
  const auto program = make_program(make_function(), {}, {}, "stream");
  EXPECT_EQ(program.candidates, (std::vector<std::string>{"/var/task/bootstrap", "/opt/bootstrap"}));
  EXPECT_EQ(program.working_directory, "/var/task");
  EXPECT_TRUE(has(program, "TZ=:UTC"));
  EXPECT_TRUE(has(program, "_HANDLER=hello.handler"));
  EXPECT_TRUE(has(program, "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"));
  EXPECT_TRUE(has(program,
                  "LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/"
                  "lib:/opt/lib"));
  EXPECT_TRUE(has(program, "AWS_LAMBDA_LOG_STREAM_NAME=stream"));
  for (const char* unset : {"AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_FORMAT", "_X_AMZN_TRACE_ID", "HOME", "USER"}) {
    EXPECT_FALSE(names(program, unset)) << unset;
  }
}

TEST(FunctionProgram, CustomersChangeDefaultsButNothingReserved) {
  auto function = make_function();
  function.settings.environment = {{"TZ", "Europe/Rome"}, {"_HANDLER", "evil"}, {"GREETING", "ciao"}};
  const auto program = make_program(function, {}, {}, "stream");
  EXPECT_TRUE(has(program, "TZ=Europe/Rome"));
  EXPECT_TRUE(has(program, "GREETING=ciao"));
  EXPECT_TRUE(has(program, "_HANDLER=hello.handler"));
}

TEST(FunctionProgram, AManagedRuntimeIsServedFromVarRuntime) {
  auto function = make_function();
  function.settings.runtime = "python3.11";
  const auto program = make_program(function, {}, {}, "stream");
  EXPECT_EQ(program.candidates, (std::vector<std::string>{"/var/runtime/bootstrap"}));
  EXPECT_TRUE(has(program, "AWS_EXECUTION_ENV=AWS_Lambda_python3.11"));
  EXPECT_TRUE(has(program, "OGNI_INTERPRETER=/usr/bin/python3.11"));
}

TEST(FunctionProgram, APythonThatIsNotHereIsReplacedByTheHostsOwn) {
  auto function = make_function();
  function.settings.runtime = "python3.99";  // let in by a setting only
  EXPECT_TRUE(has(make_program(function, {}, {}, "stream"), "OGNI_INTERPRETER=/usr/bin/python3"));
}

TEST(FunctionProgram, HostPathsStandInWhereNothingIsMounted) {
  const FunctionPaths paths{.task_root = "/store/task",
                            .runtime_root = "/store/runtime",
                            .layers_root = "/store/opt",
                            .temporary = "/store/tmp",
                            .runtime_api = "127.0.0.1:40123"};
  const auto program = make_program(make_function(), paths, {}, "stream");
  EXPECT_TRUE(has(program, "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/store/opt/bin"));
  EXPECT_TRUE(has(program, "LAMBDA_TASK_ROOT=/store/task"));
  EXPECT_TRUE(has(program, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:40123"));
  EXPECT_TRUE(has(program, "TMPDIR=/store/tmp"));
}

}  // namespace
}  // namespace ogni::service
