// Starts the program of an environment: the last steps between the init and the function's first instruction.
#pragma once

#include <sys/types.h>

#include <variant>

#include "sandbox/environment.h"
#include "sandbox/launcher.h"
#include "sandbox/system_call_filter.h"

namespace ogni::sandbox {

// What a program is put behind, just before it is executed. Borrowed; empty, or -1, = none.
struct Walls {
  const SystemCallFilter& system_calls;
  int files = -1;
  int freezer = -1;  // tasks of the cgroup that it is frozen by
  int niceness = 0;  // where no cgroup shares out processor time
};

// Executes `program` in a child of the caller, which must be single-threaded and block all signals. Standard output and
// error are `log`; nothing else that is open reaches the program. Returns when it has been executed or has failed.
std::variant<pid_t, StartFailed> start_program(const Program& program, Strength strength, int log, const Walls& walls);

}  // namespace ogni::sandbox
