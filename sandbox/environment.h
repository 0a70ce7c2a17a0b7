// One execution environment, seen from outside: start and kill the program in it, learn how it ended.
//
// The environment's init (PID 1 of its namespace) does the work; this is the other end of its control socket. The
// environment outlives its program: after a crash or a kill the program can be started again in the same environment,
// with the same /tmp, log pipe and listening socket. Destroying the object ends the environment and every process in
// it; the launcher then removes the rest (cgroup, uid).
//
// Not thread-safe, never blocks: sends are non-blocking, events are fetched with receive() when descriptor() is readable.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

// What to run. The first of `candidates` that is there as a regular file is executed; paths are those of the
// environment. argv is {the candidate} followed by `arguments`.
struct Program {
  std::vector<std::string> candidates;
  std::vector<std::string> arguments;
  std::vector<std::string> variables;  // "NAME=value"
  std::string working_directory;
  // Where there is no memory cgroup: the init kills every process when together they have more. 0 = no limit.
  std::uint64_t memory_bytes = 0;
};

// The socket that the program's server side listens on: in the namespace 127.0.0.1:9001, in a process environment an
// ephemeral port of the host's loopback. It listens before any program starts, so no early connection is refused.
// Comes once, first.
struct Listening {
  Fd socket;
  std::uint16_t port = 0;
};
// The program did not start. Every process of the environment is gone; start() may be called again.
struct StartFailed {
  enum class Step { kNoProgram, kExecute, kWorkingDirectory, kOther };
  Step step = Step::kOther;
  std::string path;  // of the candidate, where there was one
  int error = 0;     // errno
};
// The program ended, by itself or by kill(); every other process of the environment is gone as well.
struct Exited {
  int wait_status = 0;              // as waitpid(2) gives it
  std::uint64_t max_rss_bytes = 0;  // largest of any process reaped so far (ru_maxrss)
  bool out_of_memory = false;       // it was killed for having more memory than its limit
};
// Answer to measure().
struct Measured {
  std::uint64_t pss_bytes = 0;      // summed over all processes but the init
  std::uint64_t max_rss_bytes = 0;  // as in Exited
};
// The environment could not be made: the step that failed, and why. Nothing is left of it.
struct Failed {
  std::string message;
  bool is_lasting = false;  // lasting.h
};
using Event = std::variant<Listening, StartFailed, Exited, Measured, Failed>;

// What shares out processor time among environments.
enum class ProcessorWay {
  kNice,    // nothing: they come after the host's other work
  kShares,  // cgroup version 1
  kWeight,  // cgroup version 2
};

// How the program's processes are stopped and woken. The init is never among them.
enum class FreezeWay {
  kSignals,     // by the init, which stops and continues them: programs can see that, and each other's
  kVersionOne,  // a cgroup freezer, which holds even killed processes
  kVersionTwo,
};

class [[nodiscard]] Environment {
 public:
  // Descriptors handed over by the launcher.
  struct Handles {
    Fd control;      // SOCK_SEQPACKET, non-blocking
    Fd process;      // pidfd of the init
    Fd log;          // read end of the pipe that is the program's stdout and stderr, non-blocking
    Fd memory_stat;  // cgroup's memory.stat, if there is a memory cgroup
    Fd cgroup;       // directory, if there is one
    Fd freezer;      // the file that freezes, unless it is done by signals
    FreezeWay freeze_way = FreezeWay::kSignals;
    Fd processor_time;    // a cgroup's file that tells it, if there is one
    Fd processor_idle;    // beside it, what makes it run when nobody else wants to
    Fd processor_weight;  // and its weight, which has to be set again when it no longer does
    std::uint64_t weight = 0;
  };
  explicit Environment(Handles handles) : handles_(std::move(handles)) {}
  ~Environment();
  Environment(Environment&& other) noexcept
      : handles_(std::move(other.handles_)),
        oom_kills_seen_(other.oom_kills_seen_),
        frozen_(std::exchange(other.frozen_, false)),
        makes_way_(other.makes_way_) {}
  Environment& operator=(Environment&& other) noexcept {
    std::swap(handles_, other.handles_);
    std::swap(oom_kills_seen_, other.oom_kills_seen_);
    std::swap(frozen_, other.frozen_);
    std::swap(makes_way_, other.makes_way_);
    return *this;
  }

  // Readable when receive() has something to say.
  int descriptor() const { return handles_.control.get(); }
  // Readable when the init has ended.
  int process_descriptor() const { return handles_.process.get(); }
  int log_descriptor() const { return handles_.log.get(); }

  // Starts the program. At most one runs at a time: not before the previous one's Exited or StartFailed was received.
  // May be called before Listening was received, in namespaces, where the port is known. Errors: kUnavailable;
  // kTooLarge when the program's texts have more than about 128 KiB.
  [[nodiscard]] Result<void> start(const Program& program);
  // SIGKILL to every process but the init; Exited follows unless nothing runs. Errors: kUnavailable.
  [[nodiscard]] Result<void> kill();
  // Stops every process but the init, until thaw(). What is killed or ended while frozen is gone as always. One system
  // call each, or two. Errors: kUnavailable.
  [[nodiscard]] Result<void> freeze();
  [[nodiscard]] Result<void> thaw();
  bool is_frozen() const { return frozen_; }
  // Processor time of all its processes so far; nothing where no cgroup tells it, or nothing could be done about it.
  std::optional<std::chrono::nanoseconds> processor_time() const;
  // Whether it runs only when nobody else wants to, since it goes on using more than its allowance (processor_pace.h).
  // A failure has no consequence but that nothing changes.
  void set_makes_way(bool makes_way);
  FreezeWay freeze_way() const { return handles_.freeze_way; }
  // A signal (SIGTERM) to the program alone. Errors: kUnavailable.
  [[nodiscard]] Result<void> signal(int number);
  // Asks the init for Measured: for hosts without a memory cgroup. Errors: kUnavailable.
  [[nodiscard]] Result<void> measure();

  // The next event, or nothing if none waits. Errors: kUnavailable when the init has ended.
  [[nodiscard]] Result<std::optional<Event>> receive();

  bool has_memory_cgroup() const { return static_cast<bool>(handles_.memory_stat); }
  // Anonymous and shared memory in use now, page cache excluded; one read(2). Errors: kIo; kNotFound without cgroup.
  [[nodiscard]] Result<std::uint64_t> memory_bytes() const;
  // The largest that memory_bytes() may ever have been, as the kernel counts peaks: pages of files that have been let go
  // since are in it. Two more system calls or three; the same as memory_bytes() where the kernel tells no peak.
  [[nodiscard]] Result<std::uint64_t> memory_peak_bytes() const;

 private:
  // How often the cgroup's OOM killer has acted; 0 without cgroup.
  std::uint64_t oom_kills() const;
  Result<void> set_frozen(bool frozen);

  Handles handles_;
  std::uint64_t oom_kills_seen_ = 0;
  bool frozen_ = false;
  bool makes_way_ = false;
};

}  // namespace ogni::sandbox
