#include "sandbox/test_environment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>

namespace ogni::sandbox::testing {

const std::chrono::seconds kPatience = [] {
  const char* times = std::getenv("OGNI_TEST_PATIENCE");
  return std::chrono::seconds(20) * std::max(1, times != nullptr ? std::atoi(times) : 1);
}();

Fd open_launcher_program() {
  std::filesystem::path directory = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
  if (const char* named = std::getenv("OGNI_BIN_DIR")) directory = named;
  auto program = open_file(directory / "ogni-launcher", O_RDONLY);
  EXPECT_TRUE(program) << program.error().message();
  return program ? std::move(*program) : Fd();
}

Launcher::Options launcher_options(Strength strength) {
  Launcher::Options options;
  options.strength = strength;
  options.tag = "test" + std::to_string(::getpid());
  return options;
}

std::unique_ptr<Launcher> start_launcher(Strength strength, std::string& why) {
  const Fd program = open_launcher_program();
  auto options = launcher_options(strength);
  options.program = program.get();
  auto launcher = Launcher::start(options);
  if (launcher) return std::make_unique<Launcher>(std::move(*launcher));
  why = launcher.error().message();
  return nullptr;
}

Result<LauncherReply> wait_reply(Launcher& launcher) {
  while (wait_readable(launcher.descriptor(), kPatience)) {
    auto reply = launcher.receive();
    if (!reply) return failure(std::move(reply).error());
    if (*reply) return std::move(**reply);  // else it was word of no request
  }
  return failure(ErrorCode::kTimedOut, "no reply");
}

Result<Event> wait_event(Environment& environment) {
  if (!wait_readable(environment.descriptor(), kPatience)) return failure(ErrorCode::kTimedOut, "no event");
  auto event = environment.receive();
  if (!event) return failure(std::move(event).error());
  if (!*event) return failure(ErrorCode::kInternal, "readable, but no event");
  return std::move(**event);
}

std::string drain_log(const Environment& environment) {
  std::string log;
  std::array<char, 4096> chunk;
  for (ssize_t size = 0; (size = ::read(environment.log_descriptor(), chunk.data(), chunk.size())) > 0;) {
    log.append(chunk.data(), static_cast<std::size_t>(size));
  }
  return log;
}

bool wait_end(const Environment& environment) { return wait_readable(environment.process_descriptor(), kPatience); }

CodeDirectory::CodeDirectory() : path_(directory_.path() / "code") {
  ::mkdir(path_.c_str(), 0755);
  ::chmod(path_.c_str(), 0755);
  auto opened = open_file(path_, O_PATH | O_DIRECTORY);
  EXPECT_TRUE(opened);
  if (opened) descriptor_ = std::move(*opened);
}

CodeDirectory& CodeDirectory::file(const std::string& name, const std::string& content, int mode) {
  const std::filesystem::path path = std::filesystem::path(path_) / name;
  std::filesystem::create_directories(path.parent_path());
  auto file = open_file(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
  EXPECT_TRUE(file && write_all(file->get(), content));
  ::chmod(path.c_str(), static_cast<mode_t>(mode));
  return *this;
}

CodeDirectory& CodeDirectory::program(const std::string& name, const std::filesystem::path& from) {
  const std::filesystem::path path = std::filesystem::path(path_) / name;
  std::filesystem::copy_file(from, path);
  ::chmod(path.c_str(), 0755);
  return *this;
}

Result<Made> make(Launcher& launcher, const EnvironmentSpec& spec) {
  if (auto asked = launcher.request(spec); !asked) return failure(std::move(asked).error());
  auto reply = wait_reply(launcher);
  if (!reply) return failure(std::move(reply).error());
  if (reply->id != spec.id) return failure(ErrorCode::kInternal, "the reply is to another request");
  if (!reply->environment) return failure(std::move(reply->environment).error());
  Made made;
  made.environment.emplace(std::move(*reply->environment));
  auto event = wait_event(*made.environment);
  if (!event) return failure(std::move(event).error());
  if (auto* failed = std::get_if<Failed>(&*event)) return failure(ErrorCode::kUnavailable, failed->message);
  auto* listening = std::get_if<Listening>(&*event);
  if (listening == nullptr) return failure(ErrorCode::kInternal, "the first event is not Listening");
  made.port = listening->port;
  made.socket = std::move(listening->socket);
  return made;
}

Result<Run> run(Environment& environment, const Program& program) {
  if (auto started = environment.start(program); !started) return failure(std::move(started).error());
  auto event = wait_event(environment);
  if (!event) return failure(std::move(event).error());
  return Run{.log = drain_log(environment), .event = std::move(*event)};
}

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

std::string core_blocks(std::uint64_t block_bytes) {
  const auto pattern = read_file("/proc/sys/kernel/core_pattern", 4096);
  const bool piped = !pattern || pattern->starts_with('|') || pattern->starts_with('@');
  return std::to_string((piped ? 1 : 10'737'418'240U) / block_bytes);
}

std::string run_script(Launcher& launcher, const std::string& script) {
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/sh\n" + script);
  auto made = make(launcher, {.id = next_id(), .tmp_bytes = 64 << 20, .task = code.descriptor()});
  if (!made) return "not made: " + made.error().message();
  const Program program{.candidates = {"/var/task/bootstrap"},
                        .arguments = {},
                        .variables = {"PATH=/usr/bin:/bin"},
                        .working_directory = "/var/task"};
  auto ran = run(*made->environment, program);
  if (!ran) return "not run: " + ran.error().message();
  return ran->log;
}

void LauncherTest::SetUp() {
  std::string why;
  launcher_ = start_launcher(GetParam(), why);
  if (launcher_ == nullptr) GTEST_SKIP() << "this host cannot have it: " << why;
}

EnvironmentSpec LauncherTest::spec(const CodeDirectory& code) {
  EnvironmentSpec spec;
  spec.id = next_id();
  spec.strength = GetParam();
  spec.tmp_bytes = 64 << 20;
  spec.task = code.descriptor();
  if (!is_namespace()) {
    spec.task_path = code.path();
    spec.tmp_path = tmp_.path();
  }
  return spec;
}

std::string LauncherTest::task(const CodeDirectory& code, const std::string& name) const {
  return (is_namespace() ? std::string("/var/task") : code.path()) + "/" + name;
}

Program LauncherTest::bootstrap(const CodeDirectory& code, std::vector<std::string> variables) const {
  variables.emplace_back("PATH=/usr/bin:/bin");
  return {.candidates = {task(code, "bootstrap")},
          .arguments = {},
          .variables = std::move(variables),
          .working_directory = is_namespace() ? "/var/task" : code.path()};
}

}  // namespace ogni::sandbox::testing
