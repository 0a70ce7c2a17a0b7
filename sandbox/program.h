// Starts the program of an environment: the last steps between the init and the function's first instruction.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <variant>

#include "base/fd.h"
#include "sandbox/environment.h"
#include "sandbox/launcher.h"
#include "sandbox/system_call_filter.h"

namespace ogni::sandbox {

// What a program is put behind, just before it is executed. Borrowed; empty, or -1, = none.
struct Walls {
  const SystemCallFilter& system_calls;
  int files = -1;
  int freezer = -1;   // tasks of the cgroup that it is frozen by
  int niceness = 0;   // where no cgroup shares out processor time
  int processes = 0;  // and threads that there may be: process_limit()
};

// A child that has gone ahead: it is behind every wall but that of the files, which can only be built around what is
// mounted, and waits for the program that it is to become. It runs on the caller's memory, and only while the caller waits.
class [[nodiscard]] Forerunner {
 public:
  // Behind `walls`, whose texts outlive this object. Only for namespaces; the caller, which must be single-threaded and
  // block all signals, needs no capability for it, and the child has none. Nothing, where there cannot be one.
  [[nodiscard]] static std::optional<Forerunner> make(int log, const Walls& walls);
  Forerunner(Forerunner&&) noexcept;
  Forerunner& operator=(Forerunner&&) noexcept;
  ~Forerunner();

  pid_t pid() const;

 private:
  friend std::variant<pid_t, StartFailed> start_program(Forerunner, const Program&, int files);
  struct Shared;
  explicit Forerunner(std::unique_ptr<Shared> shared);
  std::unique_ptr<Shared> shared_;
};

// The forerunner becomes `program`, behind the wall `files`, or ends. As below.
std::variant<pid_t, StartFailed> start_program(Forerunner forerunner, const Program& program, int files);

// Executes `program` in a child of the caller, which must be single-threaded and block all signals. Standard output and
// error are `log`; nothing else that is open reaches the program. Returns when it has been executed or has failed.
std::variant<pid_t, StartFailed> start_program(const Program& program, Strength strength, int log, const Walls& walls);

}  // namespace ogni::sandbox
