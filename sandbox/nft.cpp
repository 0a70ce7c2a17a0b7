#include "sandbox/nft.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/system.h"

namespace ogni::sandbox {

namespace {

constexpr std::size_t kSaidMax = 1 << 20;
constexpr int kNotThere = 127;

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failure(Error::from_errno("pipe"));
  return Pipe{.read = Fd(ends[0]), .write = Fd(ends[1])};
}

// In a child: nft of the host, in the mount namespace that has it.
[[noreturn]] void become_nft(int host_mounts, int within, int input, int output) {
  std::array<const char*, 4> words = {"nft", "-f", "-", nullptr};
  std::array<char*, 1> variables = {nullptr};
  if (::dup2(input, STDIN_FILENO) >= 0 && ::dup2(output, STDOUT_FILENO) >= 0 && ::dup2(output, STDERR_FILENO) >= 0 &&
      ::setns(host_mounts, CLONE_NEWNS) == 0 && (within < 0 || ::setns(within, CLONE_NEWUSER | CLONE_NEWNET) == 0)) {
    for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
      ::execve(path, const_cast<char* const*>(words.data()), variables.data());
    }
  }
  ::_exit(errno == ENOENT ? kNotThere : 1);
}

std::string read_all(int descriptor) {
  std::string said;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return said;
    if (said.size() < kSaidMax) said.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

Result<std::string> run_nft(int host_mounts, int within, const std::string& script) {
  auto input = make_pipe();
  if (!input) return failure(std::move(input).error());
  auto output = make_pipe();
  if (!output) return failure(std::move(output).error());
  const pid_t pid = ::fork();
  if (pid < 0) return failure(Error::from_errno("fork"));
  if (pid == 0) become_nft(host_mounts, within, input->read.get(), output->write.get());
  input->read.reset();
  output->write.reset();
  const auto written = write_all(input->write.get(), script);
  input->write.reset();
  std::string said = read_all(output->read.get());
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotThere) {
    return failure(ErrorCode::kNotFound, "nft is not there (package nftables)");
  }
  if (status != 0) {
    const std::string line = said.substr(0, said.find('\n'));
    return failure(ErrorCode::kUnavailable,
                   "nft refuses the rules for the way out" + (line.empty() ? "" : ": " + line));
  }
  if (!written) return failure(written.error());
  return said;
}

}  // namespace ogni::sandbox
