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

TEST(FunctionProgram, ManagedRuntimesSeeWhatAwsStartsThemWith) {
  const auto variables = [](const char* runtime) {
    auto function = make_function();
    function.settings.runtime = runtime;
    return make_program(function, {}, {}, "stream");
  };
  for (const char* runtime : {"python3.11", "nodejs20.x", "ruby3.3", "java17"}) {
    EXPECT_TRUE(has(variables(runtime), "PWD=/var/task")) << runtime;
    EXPECT_TRUE(has(variables(runtime), "SHLVL=0")) << runtime;
  }
  EXPECT_FALSE(names(variables("provided.al2023"), "PWD"));
  EXPECT_FALSE(names(variables("python3.11"), "LC_CTYPE"));
  EXPECT_TRUE(has(variables("python3.12"), "LC_CTYPE=C.UTF-8"));
  EXPECT_TRUE(has(variables("nodejs18.x"), "NODE_EXTRA_CA_CERTS=/var/runtime/ca-cert.pem"));
  EXPECT_FALSE(names(variables("nodejs20.x"), "NODE_EXTRA_CA_CERTS"));
  const auto ruby = variables("ruby3.3");
  EXPECT_TRUE(has(ruby, "GEM_HOME=/var/runtime"));
  EXPECT_TRUE(has(
      ruby, "GEM_PATH=/var/task/vendor/bundle/ruby/3.3.0:/opt/ruby/gems/3.3.0:/var/runtime:/var/runtime/ruby/3.3.0"));
  EXPECT_TRUE(has(ruby, "RUBYLIB=/var/runtime/gems/aws_lambda_ric-3.1.3/lib:/var/task:/var/runtime/lib:/opt/ruby/lib"));
  EXPECT_TRUE(has(ruby, "PATH=/var/lang/bin:/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"));
  EXPECT_TRUE(has(variables("provided.al2"), "PATH=/usr/local/bin:/usr/bin/:/bin:/opt/bin"));
}

TEST(FunctionProgram, LoggingConfigReachesTheProgram) {
  auto function = make_function();
  function.settings.environment.emplace()["AWS_LAMBDA_LOG_LEVEL"] = "TRACE";
  EXPECT_TRUE(has(make_program(function, {}, {}, "s"), "AWS_LAMBDA_LOG_LEVEL=TRACE"));
  function.settings.inert_json =
      R"({"LoggingConfig":{"LogFormat":"JSON","ApplicationLogLevel":"WARN","LogGroup":"mine"}})";
  const auto program = make_program(function, {}, {}, "s");
  EXPECT_TRUE(has(program, "AWS_LAMBDA_LOG_FORMAT=JSON"));
  EXPECT_TRUE(has(program, "AWS_LAMBDA_LOG_LEVEL=WARN"));
  EXPECT_TRUE(has(program, "AWS_LAMBDA_LOG_GROUP_NAME=mine"));
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
