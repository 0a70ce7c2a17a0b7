// One worker process: a long-lived interpreter that has loaded the handler and answers invocation after invocation over
// a private pair of pipes (docs/worker-protocol.md). Its stdout and stderr are this program's, so they stay logs.
//
// Leaving scope kills the worker and its process group. Not thread-safe. Waits have no limit of their own: the platform
// ends the whole environment at the function's timeout.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/descriptor.h"
#include "bootstrap/error_relay.h"
#include "bootstrap/frame.h"
#include "bootstrap/named_pipes.h"
#include "bootstrap/report.h"

namespace ogni::bootstrap {

// What to start. `arguments[0]` is the path of the program; kRequestsPath and kRepliesPath among the others are replaced by
// paths of the private pipes. Where there is a script (embedded, or the path of a file), the worker can read it from
// descriptor 5.
struct WorkerCommand {
  std::vector<std::string> arguments;
  std::string_view script = {};
  std::string script_path = {};
  int memory_files = 0;  // at descriptors 6, 7, ...
  // The pipes have names, and the worker inherits neither of them; where that cannot be, and without this, the paths are
  // those of descriptors 3 and 4.
  bool opens_pipes = false;
  // What its last words on stderr say of the error that has ended it; false: nothing. Null: stderr is this program's own.
  bool (*last_words)(std::string_view errors, int wait_status, ErrorReport& report) = nullptr;

  // stderr passes through this program also without that.
  bool keeps_errors = false;

  static constexpr const char* kRequestsPath = "{requests}";
  static constexpr const char* kRepliesPath = "{replies}";
};

class Worker {
 public:
  enum class Outcome {
    kReply,      // reply() holds it
    kDied,       // see death()
    kMalformed,  // spoke out of turn, or not the protocol; it has been killed
  };

  // `environment` ("NAME=value") is what the worker sees. Null, with a line on stderr, when it cannot be started.
  static std::unique_ptr<Worker> start(const WorkerCommand& command, const std::vector<std::string>& environment);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // A copy of this worker, which must be ready and able to (docs/worker-protocol.md, "Forks"): a worker of its own, ready
  // too, and a child of this process, which must be the reaper of orphans. Null when that did not come about.
  std::unique_ptr<Worker> fork();

  // Waits for the first frame: "ready" or "init-error".
  Outcome await_first();
  // Sends a frame and waits for the answer to it. kDied with delivered() false when the worker was gone before.
  Outcome exchange(std::string_view frame, std::string_view body);

  // After a reply that belongs to a stream: waits for the next one.
  Outcome await_next();

  // SIGTERM, and no more than `max` for what the worker does about it.
  void stop(std::chrono::milliseconds max) const;

  // Whether it can be asked: between invocations a worker lives and is silent. What it says then would be taken for the
  // answer to the next.
  bool waits() const;

  pid_t process() const { return process_; }
  // The files in memory that it was given, in their order; one that could not be made is empty.
  const std::vector<Descriptor>& memory() const { return memory_; }
  // Valid until the next call that waits.
  const FrameReader& reply() const { return reader_; }
  // Whether anything of the last frame may have reached the worker.
  bool delivered() const { return delivered_; }
  // After kDied: "exit status 1", "signal: killed", as the platform words it; empty for exit status 0.
  std::string death() const;
  // After kDied: as waitpid(2) gives it.
  int wait_status() const { return wait_status_; }
  // The end of what it wrote on stderr since the last request, where that is kept.
  std::string errors() { return errors_ ? errors_->tail() : std::string(); }

 private:
  Worker(pid_t process, Descriptor requests, Descriptor replies, std::vector<Descriptor> memory = {});

  enum class Ready { kReplies, kRequests, kDeath };
  Ready wait(bool writable);
  Outcome transfer(std::string_view frame, std::string_view body);
  Outcome receive();
  Outcome died();
  Outcome malformed();
  // How long a worker may take to end by itself before it is killed.
  enum class Patience { kNone, kSome };
  void end(Patience patience);

  pid_t process_;
  Descriptor process_descriptor_;  // none where the kernel has none
  Descriptor requests_;
  Descriptor replies_;
  std::vector<Descriptor> memory_;
  std::unique_ptr<ErrorRelay> errors_;    // null: stderr is this program's own
  std::unique_ptr<NamedPipes> unopened_;  // until its first answer: some open the requests only when they read
  int wait_status_ = 0;
  bool delivered_ = false;
  FrameReader reader_;
};

}  // namespace ogni::bootstrap
