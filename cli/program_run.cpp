#include "cli/program_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/fd.h"
#include "base/system.h"
#include "package/temporary_folder.h"

namespace ogni::cli {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

ProgramRun run_ogni(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment,
                    const std::string& input) {
  const package::TemporaryFolder folder;
  folder.write("in", input);
  const std::string in = folder.string() + "/in";
  const std::string out = folder.string() + "/out";
  const std::string err = folder.string() + "/err";
  const std::string program =
      (std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "ogni").string();

  std::vector<std::string> words{"ogni"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables{"PATH=/usr/bin:/bin", "HOME=" + folder.string() + "/none"};
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);

  ::posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ProgramRun run;
  ::pid_t pid = -1;
  const int failed =
      ::posix_spawn(&pid, program.c_str(), &actions, nullptr, pointers(words).data(), pointers(variables).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    run.err = "cannot start " + program;
    return run;
  }
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ::pollfd waiting{.fd = process.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, 30'000) <= 0) ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  run.out = read_file(out, 64 << 20).value_or("");
  run.err = read_file(err, 64 << 20).value_or("");
  return run;
}

}  // namespace ogni::cli
