// For tests: code that runs in a forked process and tells how it went.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>

#include "base/fd.h"

namespace ogni::catalogue {

// A child that runs `body`, whose result (empty = well) can be read from its pipe. Killed and reaped at the end.
class ChildProcess {
 public:
  explicit ChildProcess(const std::function<std::string(int pipe)>& body) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    pipe_ = Fd(ends[0]);
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string said = body(ends[1]);
      const bool told = ::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
      ::_exit(told ? 0 : 1);
    }
    Fd closing(ends[1]);
    if (pid_ < 0) std::abort();
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() { kill(); }

  int pipe() const { return pipe_.get(); }

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  // All that the child still says, and "died" if it did not end by itself.
  std::string wait() {
    std::string said;
    std::array<char, 4096> chunk;
    for (ssize_t count = 0; (count = ::read(pipe_.get(), chunk.data(), chunk.size())) > 0;) {
      said.append(chunk.data(), static_cast<std::size_t>(count));
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) said += " died";
    return said;
  }

 private:
  Fd pipe_;
  pid_t pid_ = -1;
};

}  // namespace ogni::catalogue
