// The launcher as the daemon meets it: what it refuses, and that nothing is left whoever dies first.
#include "sandbox/launcher.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <sstream>
#include <thread>

#include "sandbox/test_environment.h"
#include "sandbox/wire.h"

namespace ogni::sandbox::testing {
namespace {

// The service's directories of memory cgroups on this host.
std::vector<std::filesystem::path> cgroups_of(const std::string& tag) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  using Iterator = std::filesystem::recursive_directory_iterator;
  const auto options = std::filesystem::directory_options::skip_permission_denied;
  for (auto entry = Iterator("/sys/fs/cgroup", options, error); !error && entry != Iterator(); entry.increment(error)) {
    if (entry->path().filename() == "ogni-" + tag) found.push_back(entry->path());
  }
  return found;
}

// Polls a condition of the host that has no descriptor to wait on.
bool comes_true(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

std::vector<pid_t> children_of(pid_t parent) {
  const std::string pid = std::to_string(parent);
  std::istringstream text(read_file("/proc/" + pid + "/task/" + pid + "/children").value_or(""));
  return {std::istream_iterator<pid_t>(text), {}};
}

std::size_t mounts_of_host() {
  const auto text = read_file("/proc/self/mountinfo", 4 << 20);
  return text ? static_cast<std::size_t>(std::count(text->begin(), text->end(), '\n')) : 0;
}

const char* const kSleeper = "#!/bin/bash\necho ready\n(setsid sleep 1000 </dev/null >/dev/null 2>&1 &)\nsleep 1000\n";

class LauncherStrengthTest : public LauncherTest {
 protected:
  // An environment whose program has begun.
  std::optional<Environment> make_running(const CodeDirectory& code) {
    auto made = make(*launcher_, spec(code));
    EXPECT_TRUE(made) << made.error().message();
    if (!made) return std::nullopt;
    EXPECT_TRUE(made->environment->start(bootstrap(code)));
    EXPECT_TRUE(wait_readable(made->environment->log_descriptor(), kPatience));
    return std::move(made->environment);
  }
  // The keeper's child that makes environments; -1 if there is none now.
  pid_t launcher_proper() const {
    const auto children = children_of(launcher_->pid());
    return children.empty() ? -1 : children.front();
  }
};
INSTANTIATE_TEST_SUITE_P(Strengths, LauncherStrengthTest, ::testing::Values(Strength::kNamespace, Strength::kProcess),
                         [](const auto& strength) { return std::string(to_string(strength.param)); });

TEST(Launcher, RefusesATagThatIsNoName) {
  for (const char* tag : {"", "../x", "UPPER", "a b", "012345678901234567890123456789012"}) {
    Launcher::Options options;
    options.tag = tag;
    const auto launcher = Launcher::start(options);
    ASSERT_FALSE(launcher) << tag;
    EXPECT_EQ(launcher.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(Launcher, RunsProcessEnvironmentsUnderTheUserItWasTold) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another";
  const Fd program = open_launcher_program();
  Launcher::Options options = launcher_options(Strength::kProcess);
  options.program = program.get();
  options.process_uid = 54'399;
  options.process_gid = 54'398;
  auto launcher = Launcher::start(options);
  ASSERT_TRUE(launcher) << launcher.error().message();
  auto made = make(*launcher, {.id = 1, .strength = Strength::kProcess});
  ASSERT_TRUE(made) << made.error().message();

  auto ran = run(*made->environment, {.candidates = {"/usr/bin/bash"},
                                      .arguments = {"-c", "id -u; id -g; id -G; echo err > /dev/stderr"},
                                      .variables = {"PATH=/usr/bin"},
                                      .working_directory = "/"});

  ASSERT_TRUE(ran) << ran.error().message();
  EXPECT_EQ(ran->log, "54399\n54398\n54398\nerr\n");
}

TEST(Launcher, EndsWhatAKilledInitOfAProcessEnvironmentLeaves) {
  std::string why;
  auto launcher = start_launcher(Strength::kProcess, why);
  ASSERT_NE(launcher, nullptr) << why;
  CodeDirectory code;
  code.file("bootstrap", "#!/bin/bash\n(setsid bash -c 'echo $$; exec sleep 1000' &)\nsleep 1000\n");
  auto made = make(*launcher, {.id = 1, .strength = Strength::kProcess});
  ASSERT_TRUE(made) << made.error().message();
  ASSERT_TRUE(made->environment->start({.candidates = {code.path() + "/bootstrap"},
                                        .arguments = {},
                                        .variables = {"PATH=/usr/bin"},
                                        .working_directory = "/"}));
  ASSERT_TRUE(wait_readable(made->environment->log_descriptor(), kPatience));
  const auto left = open_pidfd(std::stoi(drain_log(*made->environment)));
  ASSERT_TRUE(left) << left.error().message();

  ASSERT_EQ(::syscall(SYS_pidfd_send_signal, made->environment->process_descriptor(), SIGKILL, nullptr, 0), 0);

  EXPECT_TRUE(wait_readable(left->get(), kPatience));
}

TEST(Launcher, SaysSoWhenItsProgramIsNone) {
  CodeDirectory code;
  code.file("text", "no program");
  const auto text = open_file(code.path() + "/text", O_RDONLY);
  ASSERT_TRUE(text);
  Launcher::Options options = launcher_options(Strength::kProcess);
  for (const int program : {text->get(), -1}) {
    options.program = program;
    const auto launcher = Launcher::start(options);
    ASSERT_FALSE(launcher);
    EXPECT_EQ(launcher.error().code(), ErrorCode::kUnavailable);
  }
}

TEST_P(LauncherStrengthTest, RefusesRequestsThatAreOffAndGoesOn) {
  CodeDirectory code;
  const auto refuse = [&](ErrorCode expected) {
    auto reply = wait_reply(*launcher_);
    ASSERT_TRUE(reply) << reply.error().message();
    ASSERT_FALSE(reply->environment);
    EXPECT_EQ(reply->environment.error().code(), expected) << reply->environment.error().message();
  };
  const std::string whole = wire::encode(wire::MakeEnvironment{.id = 1, .strength = GetParam(), .layers = 2});
  for (const std::string& bytes : {std::string("x"), std::string(1, '\0'), whole.substr(0, whole.size() - 1),
                                   whole + "x", std::string(1000, '\xff'), wire::encode(wire::Kill{})}) {
    ASSERT_TRUE(send_message(launcher_->descriptor(), bytes));
    refuse(ErrorCode::kInvalidArgument);
  }
  // Two layers are announced, none is there.
  ASSERT_TRUE(send_message(launcher_->descriptor(), whole));
  refuse(ErrorCode::kInvalidArgument);
  EnvironmentSpec other = spec(code);
  other.strength = is_namespace() ? Strength::kProcess : Strength::kNamespace;
  ASSERT_TRUE(launcher_->request(other));
  refuse(ErrorCode::kInvalidArgument);
  EnvironmentSpec layered = spec(code);
  layered.layers.assign(100, code.descriptor());
  EXPECT_EQ(launcher_->request(layered).error().code(), ErrorCode::kInvalidArgument);
  const EnvironmentSpec first = spec(code);
  auto made = make(*launcher_, first);
  ASSERT_TRUE(made) << made.error().message();
  ASSERT_TRUE(launcher_->request(first));
  refuse(ErrorCode::kConflict);

  EXPECT_TRUE(make(*launcher_, spec(code)));
}

// Its only program is the launcher's own, which is static: it says how it is started, and ends.
TEST_P(LauncherStrengthTest, RunsAProgramOnARootOfItsOwn) {
  std::filesystem::path programs = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
  if (const char* named = std::getenv("OGNI_BIN_DIR")) programs = named;
  CodeDirectory code, plain, hostile;
  code.program("bootstrap", programs / "ogni-launcher");
  plain.file("usr/share/file", "x", 0644);
  std::filesystem::create_symlink("/proc", std::filesystem::path(hostile.path()) / "var");
  std::filesystem::create_symlink("../../../../etc", std::filesystem::path(hostile.path()) / "etc");
  hostile.file("tmp", "", 0644).file("dev", "", 0644).file("proc", "", 0644);
  for (const CodeDirectory* root : {&plain, &hostile, &plain}) {
    EnvironmentSpec on = spec(code);
    on.root = root->descriptor();
    if (!is_namespace()) {
      ASSERT_TRUE(launcher_->request(on));
      auto reply = wait_reply(*launcher_);
      ASSERT_TRUE(reply) << reply.error().message();
      EXPECT_EQ(reply->environment.error().code(), ErrorCode::kInvalidArgument);
      continue;
    }
    auto made = make(*launcher_, on);
    ASSERT_TRUE(made) << made.error().message();
    auto ran = run(*made->environment, bootstrap(code));
    ASSERT_TRUE(ran) << ran.error().message();
    EXPECT_EQ(ran->log, "ogni-launcher is started by `ogni serve`.\n");
    // The host's bash is not there.
    auto again = run(*made->environment, {.candidates = {"/usr/bin/bash"}, .arguments = {}, .variables = {}});
    ASSERT_TRUE(again && std::holds_alternative<StartFailed>(again->event));
    EXPECT_EQ(std::get<StartFailed>(again->event).step, StartFailed::Step::kNoProgram);
  }
}

TEST(Launcher, RefusesCodeThatIsNoDirectory) {
  std::string why;
  const auto launcher = start_launcher(Strength::kNamespace, why);
  if (launcher == nullptr) GTEST_SKIP() << "this host cannot have namespaces: " << why;
  CodeDirectory code;
  code.file("file", "");
  const auto file = open_file(code.path() + "/file", O_PATH);
  ASSERT_TRUE(file);

  const auto made = make(*launcher, {.id = next_id(), .tmp_bytes = 1 << 20, .task = file->get()});

  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message().find("task"), std::string::npos) << made.error().message();
}

// Which would change the host: its rules, and as root its forwarding.
TEST(Launcher, GivesNoWayOutThatItWasNotToldOf) {
  std::string why;
  const auto launcher = start_launcher(Strength::kNamespace, why);
  if (launcher == nullptr) GTEST_SKIP() << "this host cannot have namespaces: " << why;

  const auto made = make(*launcher, {.id = next_id(), .tmp_bytes = 1 << 20, .egress = true});

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::kInvalidArgument) << made.error().message();
}

// The launcher may open what the daemon may not.
TEST(Launcher, IsNotLedElsewhereByWhatHasTakenTheDirectorysPlace) {
  std::string why;
  const auto launcher = start_launcher(Strength::kNamespace, why);
  if (launcher == nullptr) GTEST_SKIP() << "this host cannot have namespaces: " << why;
  CodeDirectory place;
  place.file("own/code/bootstrap", kSleeper).file("secret/code/bootstrap", kSleeper);
  const std::filesystem::path root(place.path());
  const auto code = open_file(root / "own/code", O_PATH | O_DIRECTORY);
  ASSERT_TRUE(code);
  const auto ask = [&](const char* expected) {
    for (const bool is_layer : {false, true}) {
      const std::array layers = {code->get()};
      EnvironmentSpec spec{.id = next_id(), .tmp_bytes = 1 << 20};
      if (is_layer) {
        spec.layers.assign(layers.begin(), layers.end());
      } else {
        spec.task = code->get();
      }
      const auto made = make(*launcher, spec);
      ASSERT_FALSE(made) << expected;
      EXPECT_NE(made.error().message().find(expected), std::string::npos) << made.error().message();
    }
  };
  std::filesystem::rename(root / "own", root / "kept");
  std::filesystem::create_directory_symlink("secret", root / "own");
  std::filesystem::rename(root / "kept", root / "elsewhere");  // the descriptor's path follows it
  std::filesystem::rename(root / "elsewhere/code", root / "elsewhere/gone");
  std::filesystem::remove_all(root / "elsewhere/gone");
  std::filesystem::create_directory_symlink("../secret/code", root / "elsewhere/code");
  ask("No such file");  // nothing is at "... (deleted)"
  std::filesystem::create_directory_symlink("../secret/code", root / "elsewhere/gone (deleted)");
  ask("not where it was");
}

TEST(Launcher, RefusesDescriptorsOfEveryOtherKind) {
  std::string why;
  const auto launcher = start_launcher(Strength::kNamespace, why);
  if (launcher == nullptr) GTEST_SKIP() << "this host cannot have namespaces: " << why;
  CodeDirectory place;
  std::filesystem::create_symlink("/", std::filesystem::path(place.path()) / "link");
  const Fd link(::open((place.path() + "/link").c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  const auto sockets = socket_pair();
  const Fd memory(::memfd_create("code", MFD_CLOEXEC));
  const auto process = open_pidfd(::getpid());
  const auto space = open_file("/proc/self/ns/user", O_RDONLY);
  ASSERT_TRUE(link && sockets && memory && process && space);
  for (const int descriptor : {link.get(), sockets->first.get(), memory.get(), process->get(), space->get()}) {
    for (const auto place_of : {&EnvironmentSpec::task, &EnvironmentSpec::runtime, &EnvironmentSpec::root}) {
      EnvironmentSpec spec{.id = next_id(), .tmp_bytes = 1 << 20};
      spec.*place_of = descriptor;
      EXPECT_FALSE(make(*launcher, spec)) << descriptor;
    }
  }
  EXPECT_TRUE(make(*launcher, {.id = next_id(), .tmp_bytes = 1 << 20}));
}

TEST_P(LauncherStrengthTest, MakesAHundredEnvironmentsAndLeavesNothing) {
  CodeDirectory code;
  code.file("bootstrap", kSleeper);
  const std::size_t mounts = mounts_of_host();
  std::vector<Environment> environments;
  for (int i = 0; i < 100; ++i) {
    auto made = make(*launcher_, spec(code));
    ASSERT_TRUE(made) << i << ": " << made.error().message();
    ASSERT_TRUE(made->environment->start(bootstrap(code)));
    environments.push_back(std::move(*made->environment));
  }
  std::vector<Fd> processes;
  for (const Environment& environment : environments) {
    ASSERT_TRUE(wait_readable(environment.log_descriptor(), kPatience));
    processes.emplace_back(::dup(environment.process_descriptor()));
  }
  EXPECT_EQ(mounts_of_host(), mounts);

  environments.clear();

  for (const Fd& process : processes) ASSERT_TRUE(wait_readable(process.get(), kPatience));
  const std::string tag = launcher_options(GetParam()).tag;
  for (const auto& directory : cgroups_of(tag)) {
    EXPECT_TRUE(comes_true([&] {
      return std::ranges::none_of(std::filesystem::directory_iterator(directory),
                                  [](const auto& entry) { return entry.is_directory(); });
    })) << directory;
  }
  launcher_.reset();
  EXPECT_TRUE(cgroups_of(tag).empty());
  EXPECT_EQ(mounts_of_host(), mounts);
}

TEST_P(LauncherStrengthTest, IsStartedAgainWhenItDies) {
  CodeDirectory code;
  code.file("bootstrap", kSleeper);
  auto first = make_running(code);
  ASSERT_TRUE(first);

  for (int deaths = 0; deaths < 2; ++deaths) {
    const pid_t proper = launcher_proper();
    ASSERT_GT(proper, 1);
    ASSERT_EQ(::kill(proper, SIGKILL), 0);

    EXPECT_TRUE(wait_end(*first));
    const auto lost = wait_reply(*launcher_);
    ASSERT_TRUE(lost) << lost.error().message();
    EXPECT_TRUE(lost->lost);
    EXPECT_EQ(lost->environment.error().message(), "the launcher died: killed by signal 9");
    first = make_running(code);
    ASSERT_TRUE(first) << "the new launcher does not serve";
    EXPECT_NE(launcher_proper(), proper);
  }
  first.reset();
  for (const auto& directory : cgroups_of(launcher_options(GetParam()).tag)) {
    EXPECT_TRUE(comes_true([&] {
      return std::ranges::none_of(std::filesystem::directory_iterator(directory),
                                  [](const auto& entry) { return entry.is_directory(); });
    })) << "what the dead one left was not swept: "
        << directory;
  }
}

// Killed while it makes one: tests/e2e/launcher_steps_test.py.
TEST_P(LauncherStrengthTest, ReplacesTheProcessThatInitsAreClonedFromWhenItHasDiedAtRest) {
  if (!is_namespace()) GTEST_SKIP() << "there the launcher clones them itself";
  CodeDirectory code;
  code.file("bootstrap", kSleeper);
  const auto first = make_running(code);
  ASSERT_TRUE(first);
  int killed = 0;
  for (const pid_t child : children_of(launcher_proper())) {
    const std::string process = "/proc/" + std::to_string(child);
    if (read_file(process + "/comm") != "ogni-zygote\n") continue;
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ++killed;
    const auto has_ended = [&] {
      const auto status = read_file(process + "/status");
      return !status || status->find("\nState:\tZ") != std::string::npos;
    };
    EXPECT_TRUE(comes_true(has_ended));
  }
  EXPECT_EQ(killed, 1);

  EXPECT_TRUE(make_running(code)) << "no other one is made";
  EXPECT_FALSE(wait_readable(first->process_descriptor(), std::chrono::milliseconds(0))) << "one is lost";
}

TEST_P(LauncherStrengthTest, IsNotStartedAgainForEver) {
  for (int deaths = 0; deaths < 20; ++deaths) {
    if (!comes_true([&] { return launcher_proper() > 1; })) break;
    ::kill(launcher_proper(), SIGKILL);
    const auto said = wait_reply(*launcher_);
    if (!said) {
      EXPECT_EQ(said.error().code(), ErrorCode::kUnavailable);
      return;
    }
    EXPECT_TRUE(said->lost);
  }
  FAIL() << "it died twenty times and still is started";
}

TEST_P(LauncherStrengthTest, EndsEveryEnvironmentWhenItIsKilled) {
  CodeDirectory code;
  code.file("bootstrap", kSleeper);
  auto first = make_running(code);
  auto second = make_running(code);
  ASSERT_TRUE(first && second);

  ASSERT_EQ(::kill(launcher_->pid(), SIGKILL), 0);

  EXPECT_TRUE(wait_end(*first));
  EXPECT_TRUE(wait_end(*second));
  ASSERT_TRUE(wait_readable(launcher_->descriptor(), kPatience));
  const auto reply = launcher_->receive();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(launcher_->request(spec(code)).error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(comes_true([&] { return !first->receive() && !second->receive(); }));

  // Its successor with the same tag sweeps the cgroups that it could not remove.
  std::string why;
  launcher_ = start_launcher(GetParam(), why);
  ASSERT_NE(launcher_, nullptr) << why;
  ASSERT_TRUE(make_running(code));
  launcher_.reset();
  EXPECT_TRUE(cgroups_of(launcher_options(GetParam()).tag).empty());
}

TEST_P(LauncherStrengthTest, EndsWithEveryEnvironmentWhenTheDaemonIsKilled) {
  launcher_.reset();
  CodeDirectory code;
  code.file("bootstrap", kSleeper);
  auto sockets = socket_pair();
  ASSERT_TRUE(sockets);
  const pid_t daemon = ::fork();
  ASSERT_GE(daemon, 0);
  if (daemon == 0) {
    std::string why;
    launcher_ = start_launcher(GetParam(), why);
    if (launcher_ == nullptr) ::_exit(1);
    auto one = make_running(code);
    auto two = make_running(code);
    auto launcher = open_pidfd(launcher_->pid());
    if (!one || !two || !launcher) ::_exit(1);
    const std::array processes = {launcher->get(), one->process_descriptor(), two->process_descriptor()};
    (void)send_message(sockets->second.get(), launcher_options(GetParam()).tag, processes);
    for (;;) ::pause();
  }
  sockets->second.reset();
  const bool told = wait_readable(sockets->first.get(), kPatience);
  auto message = receive_message(sockets->first.get(), 256);

  ::kill(daemon, SIGKILL);
  ::waitpid(daemon, nullptr, 0);

  ASSERT_TRUE(told && message);
  ASSERT_EQ(message->descriptors.size(), 3U);
  for (const Fd& process : message->descriptors) EXPECT_TRUE(wait_readable(process.get(), kPatience));
  EXPECT_TRUE(comes_true([&] { return cgroups_of(message->bytes).empty(); }));
}

// The daemon's pidfd and the launcher's are one open file, which once kept the launcher spinning.
TEST_P(LauncherStrengthTest, SleepsWhenAnEnvironmentHasEnded) {
  CodeDirectory code;
  auto made = make(*launcher_, spec(code));
  ASSERT_TRUE(made) << made.error().message();
  const Fd process(::dup(made->environment->process_descriptor()));
  made->environment.reset();
  ASSERT_TRUE(wait_readable(process.get(), kPatience));

  EXPECT_TRUE(comes_true([&] {
    const auto status = read_file("/proc/" + std::to_string(launcher_proper()) + "/status");
    return status && status->find("\nState:\tS") != std::string::npos;
  }));
}

TEST_P(LauncherStrengthTest, IgnoresSignalsToItsGroup) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1}) {
    ASSERT_EQ(::kill(launcher_->pid(), signal), 0);
    ASSERT_EQ(::kill(launcher_proper(), signal), 0);
  }
  CodeDirectory code;

  EXPECT_TRUE(make(*launcher_, spec(code)));
}

TEST_P(LauncherStrengthTest, SurvivesAFloodOfRequests) {
  CodeDirectory code;
  int asked = 0;
  Result<void> sent;
  while (asked < 5000 && (sent = launcher_->request(spec(code)))) ++asked;
  ASSERT_FALSE(sent) << "the socket never was full";
  EXPECT_EQ(sent.error().code(), ErrorCode::kLimit);
  ASSERT_GT(asked, 10);
  for (int i = 0; i < asked; ++i) {
    auto reply = wait_reply(*launcher_);
    ASSERT_TRUE(reply) << i << " of " << asked << ": " << reply.error().message();
    EXPECT_TRUE(reply->environment) << reply->environment.error().message();
  }

  EXPECT_TRUE(make(*launcher_, spec(code)));
}

}  // namespace
}  // namespace ogni::sandbox::testing
