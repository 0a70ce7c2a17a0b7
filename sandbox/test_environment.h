// What the tests of this folder share: a real launcher, environments made by it, and waiting for what they say.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/system.h"
#include "base/temporary_directory.h"
#include "sandbox/environment.h"
#include "sandbox/kernel.h"
#include "sandbox/launcher.h"

namespace ogni::sandbox::testing {

// How long anything may take. OGNI_TEST_PATIENCE multiplies it, for machines that are slow as a whole.
extern const std::chrono::seconds kPatience;

// The launcher's program beside the tests' directory.
Fd open_launcher_program();

Launcher::Options launcher_options(Strength strength);
// Null, with the reason in `why`, where this host cannot have this strength.
std::unique_ptr<Launcher> start_launcher(Strength strength, std::string& why);

// The next reply, event; an error when none came in time.
Result<LauncherReply> wait_reply(Launcher& launcher);
Result<Event> wait_event(Environment& environment);
// Everything the log holds until it has been quiet while nothing runs (after Exited).
std::string drain_log(const Environment& environment);
// True when the process ended in time.
bool wait_end(const Environment& environment);

// A directory of code: files with mode 0755 by name, deleted at the end.
class CodeDirectory {
 public:
  CodeDirectory();
  CodeDirectory& file(const std::string& name, const std::string& content, int mode = 0755);
  CodeDirectory& program(const std::string& name, const std::filesystem::path& from);
  std::string path() const { return path_; }
  int descriptor() const { return descriptor_.get(); }

 private:
  TemporaryDirectory directory_;
  std::string path_;
  Fd descriptor_;
};

// An environment and what is needed to make it.
struct Made {
  std::optional<Environment> environment;
  std::uint16_t port = 0;
  Fd socket;
};
// Asks for it and waits for Listening.
Result<Made> make(Launcher& launcher, const EnvironmentSpec& spec);

// How one program ran.
struct Run {
  std::string log;
  Event event;
};
Result<Run> run(Environment& environment, const Program& program);
// `sh` code in a fresh environment of `launcher`: its log.
std::string run_script(Launcher& launcher, const std::string& script);

std::uint64_t next_id();

// What `ulimit -c` says in an environment: AWS's limit, or as good as none where the host pipes cores to a program.
std::string core_blocks(std::uint64_t block_bytes);

// Each strength in turn; skipped with the launcher's reason where the host cannot.
class LauncherTest : public ::testing::TestWithParam<Strength> {
 protected:
  void SetUp() override;
  // A spec with `code` as the task, in this test's strength.
  EnvironmentSpec spec(const CodeDirectory& code);
  // Paths as the program sees them.
  std::string task(const CodeDirectory& code, const std::string& name) const;
  Program bootstrap(const CodeDirectory& code, std::vector<std::string> variables = {}) const;
  bool is_namespace() const { return GetParam() == Strength::kNamespace; }

  std::unique_ptr<Launcher> launcher_;
  TemporaryDirectory tmp_;  // /tmp of process environments
};

}  // namespace ogni::sandbox::testing
