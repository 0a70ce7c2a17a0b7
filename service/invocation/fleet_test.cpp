// Invocations through real environments: launcher, namespaces, a shell script or a C++ program as bootstrap.
#include "service/invocation/fleet.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <regex>

#include "base/system.h"
#include "base/temporary_directory.h"
#include "package/zip.h"
#include "protocol/limits.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

std::filesystem::path programs() {
  if (const char* named = std::getenv("OGNI_BIN_DIR")) return named;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
}

// A bootstrap in the tutorial's form around `handler`, a shell function that reads $1.
std::string bash_bootstrap(const std::string& handler) {
  return R"sh(#!/bin/sh
set -euo pipefail
)sh" + handler +
         R"sh(
while true; do
  headers="$(mktemp)"
  event="$(curl -sS -LD "$headers" "http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/next")"
  id="$(grep -Fi Lambda-Runtime-Aws-Request-Id "$headers" | tr -d '[:space:]' | cut -d: -f2)"
  response="$(handler "$event")"
  curl -sS "http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/$id/response" -d "$response" >/dev/null
done
)sh";
}

class FleetTest : public ::testing::TestWithParam<sandbox::Strength> {
 protected:
  void SetUp() override {
    code_ =
        catalogue::CodeStore::open(data_.descriptor(), {.unzipped_bytes_max = protocol::limits::kUnzippedBytesMax - 1,
                                                        .entries_max = protocol::limits::kZipEntriesMax})
            .value();
    for (const char* name : {"logs", "tmp", "runtime"}) std::filesystem::create_directory(data_.path() / name);
    logs_.emplace(open_file((data_.path() / "logs").string(), O_RDONLY | O_DIRECTORY).value());
    const auto program = open_file((programs() / "ogni-launcher").string(), O_PATH);
    ASSERT_TRUE(program) << program.error().message();
    sandbox::Launcher::Options options;
    options.strength = GetParam();
    options.tag = "fleettest" + std::to_string(::getpid());
    options.program = program->get();
    auto launcher = sandbox::Launcher::start(options);
    if (!launcher) GTEST_SKIP() << launcher.error().message();
    Fleet::Options fleet;
    fleet.strength = GetParam();
    fleet.limits = limits_;
    fleet.runtime_directory = open_file((data_.path() / "runtime").string(), O_RDONLY | O_DIRECTORY).value();
    fleet.temporary_directory = open_file((data_.path() / "tmp").string(), O_RDONLY | O_DIRECTORY).value();
    root_store_.emplace(catalogue::RootStore::open(data_.open().get()).value());
    roots_.emplace(
        *root_store_,
        Roots::Options{.name = {}, .directory = {}, .has_namespaces = GetParam() == sandbox::Strength::kNamespace});
    fleet_.emplace(context_, std::move(*launcher), *code_, *roots_, *logs_, std::move(fleet));
    fleet_->start([] {});
  }

  std::shared_ptr<const catalogue::Function> deploy(const std::filesystem::path& folder, int timeout_seconds = 10) {
    auto zip = package::zip_directory(folder.string(), {});
    EXPECT_TRUE(zip) << zip.error().message();
    auto function = std::make_shared<catalogue::Function>();
    function->instance = ++instances_;
    function->generation = 1;
    function->name = "f" + std::to_string(instances_);
    function->settings.runtime = "provided.al2023";
    function->settings.handler = "hello.handler";
    function->settings.timeout_seconds = timeout_seconds;
    function->code = code_->add(zip->bytes).value();
    return function;
  }
  std::shared_ptr<const catalogue::Function> deploy_script(const std::string& bootstrap, int timeout_seconds = 10) {
    TemporaryDirectory folder;
    const auto path = folder.path() / "bootstrap";
    std::ofstream(path) << bootstrap;
    std::filesystem::permissions(path, std::filesystem::perms(0755));
    return deploy(folder.path(), timeout_seconds);
  }

  InvokeRequest request(std::shared_ptr<const catalogue::Function> function, std::string payload = "{}") {
    return {.function = std::move(function),
            .payload = std::move(payload),
            .request_id = "request-" + std::to_string(++requests_),
            .invoked_arn = "arn:aws:lambda:us-east-1:000000000000:function:f",
            .client_context = {},
            .trace_header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            .wants_log_tail = true};
  }
  void begin(InvokeRequest invocation, std::optional<InvokeAnswer>& answer) {
    asio::co_spawn(
        context_,
        [](Fleet& fleet, InvokeRequest what, std::optional<InvokeAnswer>& where) -> asio::awaitable<void> {
          where = co_await fleet.invoke(std::move(what));
        }(*fleet_, std::move(invocation), answer),
        asio::detached);
  }
  template <typename Done>
  void run_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      context_.run_one_for(1s);
    }
  }
  InvokeAnswer invoke(InvokeRequest invocation) {
    std::optional<InvokeAnswer> answer;
    begin(std::move(invocation), answer);
    run_until([&] { return answer.has_value(); });
    return answer.value_or(InvokeAnswer{});
  }

  dispatch::Limits limits_{.reuse_grace_max = 10s};
  TemporaryDirectory data_;
  asio::io_context context_{1};
  std::unique_ptr<catalogue::CodeStore> code_;
  std::optional<LogStore> logs_;
  std::optional<catalogue::RootStore> root_store_;
  std::optional<Roots> roots_;
  std::optional<Fleet> fleet_;
  std::uint64_t instances_ = 0;
  int requests_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Strengths, FleetTest,
                         ::testing::Values(sandbox::Strength::kNamespace, sandbox::Strength::kProcess),
                         [](const auto& info) { return std::string(to_string(info.param)); });

TEST_P(FleetTest, AnswersWithWhatTheFunctionPosted) {
  const auto function = deploy_script(bash_bootstrap("handler() { echo \"you said $1\"; echo log line >&2; }"));
  const auto answer = invoke(request(function, R"({"a":"é"})"));
  EXPECT_EQ(answer.payload, "you said {\"a\":\"é\"}");
  EXPECT_FALSE(answer.function_error);
  EXPECT_EQ(answer.trace_header, "root=1-5759e988-bd862e3fe1be46a994272793;sampled=1");
  EXPECT_TRUE(std::regex_match(
      answer.log_tail,
      std::regex("START RequestId: request-1 Version: \\$LATEST\nlog line\nEND RequestId: request-1\nREPORT RequestId: "
                 "request-1\tDuration: [0-9.]+ ms\tBilled Duration: [0-9]+ ms\tMemory Size: 128 MB\tMax Memory Used: "
                 "[0-9]+ MB\tInit Duration: [0-9.]+ ms\t\n")))
      << answer.log_tail;
}

// A runtime whose next poll the scheduler holds back for longer than the grace (20 ms, a cold start being shorter) is
// passed over once: hence two.
TEST_P(FleetTest, ServesSequentialCallsFromOneEnvironmentUnlessTheMachineIsBusy) {
  const auto function = deploy(programs() / "examples" / "hello-cpp");
  for (int i = 0; i < 200; ++i) {
    auto quick = request(function, R"({"name":"World"})");
    quick.wants_log_tail = false;
    EXPECT_FALSE(invoke(std::move(quick)).function_error);
  }
  EXPECT_LE(fleet_->counts().environments, 2U);
}

// A cold start of a second makes the grace long enough for any machine: then it is one environment, exactly.
TEST_P(FleetTest, ASequentialCallerWaitsForTheEnvironmentThatHasAnswered) {
  const auto function = deploy_script(bash_bootstrap("handler() { echo done; }\nsleep 1"));
  for (int i = 0; i < 20; ++i) {
    auto quick = request(function);
    quick.wants_log_tail = false;  // the answer leaves before the bootstrap polls again
    EXPECT_EQ(invoke(std::move(quick)).payload, "done");
    EXPECT_EQ(fleet_->counts().environments, 1U);
  }
}

TEST_P(FleetTest, StartsAnEnvironmentForEachOfSeveralAtOnce) {
  const auto function = deploy_script(bash_bootstrap("handler() { sleep 1; echo done; }"));
  std::array<std::optional<InvokeAnswer>, 4> answers;
  for (auto& answer : answers) begin(request(function), answer);
  run_until([&] { return std::ranges::all_of(answers, [](const auto& answer) { return answer.has_value(); }); });
  for (const auto& answer : answers) EXPECT_EQ(answer->payload, "done");
  EXPECT_EQ(fleet_->counts().environments, 4U);
}

TEST_P(FleetTest, TellsHowAProgramEndedAndStartsItAgain) {
  const auto function = deploy_script(bash_bootstrap("handler() { [ \"$1\" = 1 ] && kill -9 $$; echo fine; }"));
  EXPECT_EQ(invoke(request(function, "0")).payload, "fine");
  const auto killed = invoke(request(function, "1"));
  EXPECT_TRUE(killed.function_error);
  EXPECT_EQ(
      killed.payload,
      R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: request-2 Error: Runtime exited with error: signal: killed"})");
  EXPECT_NE(killed.log_tail.find("Runtime.ExitError\nEND RequestId: request-2\nREPORT"), std::string::npos)
      << killed.log_tail;
  EXPECT_EQ(invoke(request(function, "0")).payload, "fine");
  EXPECT_EQ(fleet_->counts().environments, 1U);
}

TEST_P(FleetTest, AFailedInitIsRepeatedInsideTheInvocationAndThenTold) {
  const auto answer = invoke(request(deploy_script("#!/bin/sh\necho starting\nexit 7\n")));
  EXPECT_EQ(
      answer.payload,
      R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: request-1 Error: Runtime exited with error: exit status 7"})");
  const std::string log = logs_->tail("f1", 100, 1 << 20).value();
  EXPECT_NE(log.find("Phase: init\tStatus: error\tError Type: Runtime.ExitError"), std::string::npos) << log;
  EXPECT_NE(log.find("Phase: invoke\tStatus: error"), std::string::npos) << log;
  EXPECT_EQ(answer.log_tail.find("Init Duration"), std::string::npos) << answer.log_tail;
}

TEST_P(FleetTest, AFunctionThatHangsTimesOutAndTheNextCallIsServed) {
  const auto function = deploy_script(bash_bootstrap("handler() { [ \"$1\" = 1 ] && sleep 100; echo fine; }"), 1);
  const auto late = invoke(request(function, "1"));
  EXPECT_EQ(
      late.payload,
      R"({"errorType":"Sandbox.Timedout","errorMessage":"RequestId: request-1 Error: Task timed out after 1.00 seconds"})");
  EXPECT_TRUE(std::regex_search(late.log_tail, std::regex("request-1 Task timed out after 1.00 seconds\n")))
      << late.log_tail;
  EXPECT_TRUE(std::regex_search(late.log_tail, std::regex("Duration: 1000.00 ms.*Status: timeout"))) << late.log_tail;
  EXPECT_EQ(invoke(request(function, "0")).payload, "fine");
}

// The caller has its answer, and waits for the log only; the function has not asked for the next event.
TEST_P(FleetTest, AFunctionThatHangsBehindItsAnswerTimesOutAndItsAnswerStays) {
  const auto function = deploy_script(
      bash_bootstrap(
          "handler() { [ \"$1\" = 0 ] || { post early; sleep 100; }; echo fine; }\n"
          "post() { curl -sS \"http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/$id/response\" "
          "-d \"$1\" >/dev/null; }"),
      1);
  EXPECT_EQ(invoke(request(function, "0")).payload, "fine");
  const auto answer = invoke(request(function, "1"));
  EXPECT_EQ(answer.payload, "early");
  EXPECT_FALSE(answer.function_error);
  EXPECT_NE(answer.log_tail.find("request-2 Task timed out after 1.00 seconds\n"), std::string::npos)
      << answer.log_tail;
  EXPECT_TRUE(std::regex_search(answer.log_tail, std::regex("Duration: 1000.00 ms.*Status: timeout")))
      << answer.log_tail;
  EXPECT_EQ(invoke(request(function, "0")).payload, "fine");
}

// The end of its connection and its own end come in either order.
TEST_P(FleetTest, AProgramThatEndsInTheMiddleOfItsAnswerIsAnError) {
  const auto function = deploy_script(bash_bootstrap(R"sh(handler() {
  [ "$1" = 0 ] && echo fine && return
  head="POST /2018-06-01/runtime/invocation/$id/response HTTP/1.1\r\nHost: x\r\n"
  bash -c 'exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
    printf "$1Content-Length: 100\r\n\r\nhalf" >&3; kill -9 $PPID' post "$head"
})sh"));
  for (const char* event : {"0", "1", "0", "1", "0"}) {
    const auto answer = invoke(request(function, event));
    EXPECT_EQ(answer.function_error, *event == '1') << answer.payload;
    EXPECT_EQ(answer.payload.find("half"), std::string::npos) << answer.payload;
    EXPECT_EQ(answer.payload == "fine", *event == '0') << answer.payload;
    if (*event == '1') EXPECT_NE(answer.log_tail.find("Status: error"), std::string::npos) << answer.log_tail;
  }
}

TEST_P(FleetTest, SaysWhatIsWrongWithABootstrap) {
  TemporaryDirectory folder;
  std::ofstream(folder.path() / "other") << "x";
  EXPECT_EQ(
      invoke(request(deploy(folder.path()))).payload,
      R"({"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: request-1 Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"})");
  std::ofstream(folder.path() / "bootstrap") << "#!/bin/sh\n";
  const auto not_executable = invoke(request(deploy(folder.path())));
  EXPECT_NE(not_executable.payload.find("permission denied"), std::string::npos) << not_executable.payload;
  const auto bad_format =
      invoke(request(deploy_script("\x7f"
                                   "ELF but not really")));
  EXPECT_NE(bad_format.payload.find("exec format error"), std::string::npos) << bad_format.payload;
}

TEST_P(FleetTest, EndsWithEveryEnvironmentWhenDrained) {
  const auto function = deploy(programs() / "examples" / "hello-cpp");
  invoke(request(function));
  bool drained = false;
  fleet_->drain([&] { drained = true; });
  run_until([&] { return drained; });
  EXPECT_EQ(fleet_->counts().environments, 0U);
  EXPECT_EQ(invoke(request(function)).refusal, InvokeRefusal::kServiceUnavailable);
}

}  // namespace
}  // namespace ogni::service
