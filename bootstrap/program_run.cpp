#include "bootstrap/program_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "bootstrap/descriptor.h"
#include "bootstrap/error_output.h"
#include "bootstrap/spawn.h"

namespace ogni::bootstrap {
namespace {

constexpr int kPipeBytes = 1024 * 1024;
constexpr std::size_t kReadBytes = 64 * 1024;
// How often the program's end is looked for where the kernel has no pidfd (before 5.3).
constexpr int kPollMs = 20;

class Collector {
 public:
  Collector(Descriptor output, Descriptor errors, std::string& into)
      : output_(std::move(output)), errors_(std::move(errors)), into_(into) {
    into_.clear();
    set_non_blocking(output_.get());
  }

  // Until the program has ended, or written too much: false.
  bool collect(pid_t process) {
    const Descriptor end(open_process(process));
    while (true) {
      pollfd watched[3] = {{output_.get(), POLLIN, 0}, {errors_.descriptor(), POLLIN, 0}, {end.get(), POLLIN, 0}};
      const int count = ::poll(watched, 3, end ? -1 : kPollMs);
      // The end is looked for before the pipes are emptied: what was written before it is then there.
      const bool ended = watched[2].revents != 0 || (!end && has_ended(process));
      if ((watched[0].revents != 0 || ended) && !take_output()) return false;
      if (watched[1].revents != 0 || ended) errors_.pass_on();
      if (ended) return true;
      if (count < 0 && errno != EINTR) return true;
    }
  }

  std::string& tail() { return errors_.tail(); }

 private:
  static bool has_ended(pid_t process) {
    siginfo_t info = {};
    return ::waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
  }

  bool take_output() {
    while (output_) {
      const std::size_t size = into_.size();
      into_.resize(std::max(size + kReadBytes, std::min(into_.capacity(), size + kPipeBytes)));
      const ssize_t count = ::read(output_.get(), into_.data() + size, into_.size() - size);
      into_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
      if (count == 0) output_.close();
      if (count < 0 && errno != EINTR) return true;
      if (into_.size() > kOutputBytesMax) return false;
    }
    return true;
  }

  Descriptor output_;
  ErrorOutput errors_;
  std::string& into_;
};

}  // namespace

ProgramRun run_program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                       std::string_view input, Children::Policy children, std::string& output) {
  ProgramRun run;
  Pipe out;
  Pipe errors;
  Descriptor event = memory_file("ogni-event", input);
  if (!event || !out.open() || !errors.open()) return run;
  ::fcntl(out.writing.get(), F_SETPIPE_SZ, kPipeBytes);
  ::fcntl(errors.writing.get(), F_SETPIPE_SZ, kPipeBytes);  // a program of Node.js that exits drops what does not fit

  const Placement descriptors[] = {
      {event.get(), STDIN_FILENO}, {out.writing.get(), STDOUT_FILENO}, {errors.writing.get(), STDERR_FILENO}};
  const pid_t process = spawn({.arguments = arguments, .environment = environment, .descriptors = descriptors});
  if (process < 0) return run;
  out.writing.close();
  errors.writing.close();
  event.close();

  Collector collector(std::move(out.reading), std::move(errors.reading), output);
  run.outcome = collector.collect(process) ? ProgramRun::Outcome::kEnded : ProgramRun::Outcome::kTooMuchOutput;
  const bool kills = children == Children::Policy::kKill || run.outcome == ProgramRun::Outcome::kTooMuchOutput;
  if (kills) ::kill(-process, SIGKILL);
  while (::waitpid(process, &run.wait_status, 0) < 0 && errno == EINTR) {
  }
  run.errors = std::move(collector.tail());
  return run;
}

}  // namespace ogni::bootstrap
