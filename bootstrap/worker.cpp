#include "bootstrap/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

#include "bootstrap/descriptor.h"
#include "bootstrap/named_pipes.h"
#include "bootstrap/spawn.h"

namespace ogni::bootstrap {
namespace {

// Where the worker finds its ends.
constexpr int kRequestsDescriptor = 3;
constexpr int kRepliesDescriptor = 4;
constexpr int kScriptDescriptor = 5;
constexpr int kMemoryDescriptorFirst = 6;
// Payloads up to this pass in one piece. The kernel may refuse; then they pass in several.
constexpr int kPipeBytes = 1024 * 1024;
// How often the worker's end is looked for where the kernel has no pidfd (before 5.3).
constexpr int kPollMs = 100;

void complain(const char* doing, const std::string& program) {
  std::fprintf(stderr, "ogni: %s %s: %s\n", doing, program.c_str(), std::strerror(errno));
}

void widen(const Pipe& requests, const Pipe& replies) {
  ::fcntl(requests.writing.get(), F_SETPIPE_SZ, kPipeBytes);
  ::fcntl(replies.writing.get(), F_SETPIPE_SZ, kPipeBytes);
}

bool is_child(pid_t process) {
  siginfo_t info = {};
  return process > 0 && ::waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace

std::unique_ptr<Worker> Worker::start(const WorkerCommand& command, const std::vector<std::string>& environment) {
  const std::string& program = command.arguments.front();
  auto pipes = std::make_unique<NamedPipes>();
  const bool have_names = command.opens_pipes && pipes->open();
  if (!have_names && (!pipes->requests.open() || !pipes->replies.open())) {
    complain("make pipes for", program);
    return nullptr;
  }
  std::vector<Placement> descriptors;
  if (!have_names) {
    descriptors = {{pipes->requests.reading.get(), kRequestsDescriptor},
                   {pipes->replies.writing.get(), kRepliesDescriptor}};
  }
  std::vector<std::string> arguments = command.arguments;
  for (std::string& argument : arguments) {
    if (argument == WorkerCommand::kRequestsPath) argument = have_names ? pipes->requests_path : "/dev/fd/3";
    if (argument == WorkerCommand::kRepliesPath) argument = have_names ? pipes->replies_path : "/dev/fd/4";
  }
  Descriptor script;
  if (!command.script.empty() || !command.script_path.empty()) {
    script = command.script_path.empty() ? memory_file("ogni-worker", command.script)
                                         : lift(::open(command.script_path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!script) {
      complain("pass the worker's script to", program);
      return nullptr;
    }
    descriptors.push_back({script.get(), kScriptDescriptor});
  }
  std::vector<Descriptor> memory;  // a worker does without where there is none
  for (int i = 0; i < command.memory_files; ++i) {
    memory.push_back(memory_file("ogni-memory", {}));
    if (memory.back()) descriptors.push_back({memory.back().get(), kMemoryDescriptorFirst + i});
  }
  widen(pipes->requests, pipes->replies);
  set_non_blocking(pipes->requests.writing.get());
  set_non_blocking(pipes->replies.reading.get());

  Pipe errors;
  if (command.keeps_errors && errors.open()) descriptors.push_back({errors.writing.get(), STDERR_FILENO});

  const pid_t process = spawn({.arguments = arguments, .environment = environment, .descriptors = descriptors});
  if (process < 0) {
    complain("start", program);
    return nullptr;
  }
  auto worker = std::unique_ptr<Worker>(
      new Worker(process, std::move(pipes->requests.writing), std::move(pipes->replies.reading), std::move(memory)));
  if (have_names) worker->unopened_ = std::move(pipes);
  errors.writing.close();
  if (errors.reading) worker->errors_ = std::make_unique<ErrorRelay>(std::move(errors.reading));
  return worker;
}

std::unique_ptr<Worker> Worker::fork() {
  NamedPipes pipes;
  if (!pipes.open()) return nullptr;
  widen(pipes.requests, pipes.replies);
  FrameWriter writer;
  writer.field("requests", pipes.requests_path);
  writer.field("replies", pipes.replies_path);
  if (exchange(writer.finish("fork", 0), {}) != Outcome::kReply || reader_.kind() != "forked") return nullptr;
  const std::string_view field = reader_.field("process");
  pid_t process = 0;
  std::from_chars(field.data(), field.data() + field.size(), process);
  if (process == process_ || !is_child(process)) return nullptr;
  ::setpgid(process, process);
  return std::unique_ptr<Worker>(
      new Worker(process, std::move(pipes.requests.writing), std::move(pipes.replies.reading)));
}

Worker::Worker(pid_t process, Descriptor requests, Descriptor replies, std::vector<Descriptor> memory)
    : process_(process),
      process_descriptor_(open_process(process)),
      requests_(std::move(requests)),
      replies_(std::move(replies)),
      memory_(std::move(memory)) {}

Worker::~Worker() { end(Patience::kNone); }

Worker::Outcome Worker::await_first() {
  delivered_ = false;
  reader_.reset();
  return transfer({}, {});
}

Worker::Outcome Worker::exchange(std::string_view frame, std::string_view body) {
  delivered_ = false;
  if (!waits()) {
    char byte = 0;
    return ::read(replies_.get(), &byte, 1) > 0 ? malformed() : died();
  }
  reader_.reset();
  if (errors_) errors_->forget();
  const Outcome outcome = transfer(frame, body);
  unopened_.reset();
  return outcome;
}

Worker::Outcome Worker::await_next() {
  reader_.next();
  return receive();
}

bool Worker::waits() const {
  pollfd watched[2] = {{replies_.get(), POLLIN, 0}, {process_descriptor_.get(), POLLIN, 0}};
  return ::poll(watched, process_descriptor_ ? 2 : 1, 0) == 0;
}

Worker::Ready Worker::wait(bool writable) {
  while (true) {
    pollfd watched[3] = {
        {replies_.get(), POLLIN, 0}, {process_descriptor_.get(), POLLIN, 0}, {requests_.get(), POLLOUT, 0}};
    if (!writable) watched[2].fd = -1;  // ignored by poll, as is a missing pidfd
    const int count = ::poll(watched, 3, process_descriptor_ ? -1 : kPollMs);
    if (watched[0].revents & POLLIN) return Ready::kReplies;
    if (watched[1].revents != 0) return Ready::kDeath;
    if (watched[2].revents & POLLOUT) return Ready::kRequests;
    // Ends closed by a worker that still runs: it can never answer.
    if (watched[0].revents != 0 || watched[2].revents != 0) return Ready::kDeath;
    siginfo_t info = {};
    if (count == 0 && ::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0) {
      return Ready::kDeath;
    }
  }
}

Worker::Outcome Worker::transfer(std::string_view frame, std::string_view body) {
  std::array<iovec, 2> parts = {iovec{const_cast<char*>(frame.data()), frame.size()},
                                iovec{const_cast<char*>(body.data()), body.size()}};
  std::size_t left = frame.size() + body.size();
  while (left > 0) {
    const ssize_t written = ::writev(requests_.get(), parts.data(), 2);
    if (written > 0) {
      delivered_ = true;
      left -= static_cast<std::size_t>(written);
      auto count = static_cast<std::size_t>(written);
      for (iovec& part : parts) {
        const std::size_t taken = std::min(count, part.iov_len);
        part.iov_base = static_cast<char*>(part.iov_base) + taken;
        part.iov_len -= taken;
        count -= taken;
      }
    } else if (errno != EAGAIN && errno != EINTR) {
      return died();
    } else if (errno == EAGAIN) {
      const Ready ready = wait(true);
      if (ready == Ready::kDeath) return died();
      if (ready == Ready::kReplies) return malformed();  // an answer to half a question
    }
  }
  return receive();
}

Worker::Outcome Worker::receive() {
  while (reader_.state() == FrameReader::State::kIncomplete) {
    const Ready ready = wait(false);
    const FrameReader::Space space = reader_.space();
    const ssize_t count = ::read(replies_.get(), space.data, space.size);
    if (count > 0) {
      reader_.commit(static_cast<std::size_t>(count));
    } else if (count == 0 || ready == Ready::kDeath || (errno != EAGAIN && errno != EINTR)) {
      return died();
    }
  }
  if (errors_) errors_->catch_up();  // what was written before the answer is in the log before it
  return reader_.state() == FrameReader::State::kDone ? Outcome::kReply : malformed();
}

Worker::Outcome Worker::died() {
  end(Patience::kSome);
  if (errors_) errors_->catch_up();
  return Outcome::kDied;
}

Worker::Outcome Worker::malformed() {
  end(Patience::kNone);
  return Outcome::kMalformed;
}

// Of a worker that has ended by itself this takes the status; the kill then only reaches what it left behind.
void Worker::end(Patience patience) {
  if (process_ <= 0) return;
  siginfo_t info = {};
  // One that has only closed its descriptors is on its way out by its own status, which takes long on a busy machine.
  for (int tries = patience == Patience::kSome ? 100 : 0; tries > 0; --tries) {
    if (::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0) {
      break;
    }
    pollfd watched = {process_descriptor_.get(), POLLIN, 0};
    ::poll(&watched, 1, 10);
  }
  ::kill(-process_, SIGKILL);
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, &wait_status_, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
}

void Worker::stop(std::chrono::milliseconds max) const { stop_process(process_, process_descriptor_.get(), max); }

std::string Worker::death() const { return describe_end(wait_status_); }

}  // namespace ogni::bootstrap
