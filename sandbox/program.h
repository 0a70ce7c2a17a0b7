// Starts the program of an environment: the last steps between the init and the function's first instruction.
#pragma once

#include <sys/types.h>

#include <variant>

#include "sandbox/environment.h"
#include "sandbox/launcher.h"

namespace ogni::sandbox {

// Executes `program` in a child of the caller, which must be single-threaded and block all signals. Standard output and
// error are `log`; nothing else that is open reaches the program. Returns when it has been executed or has failed.
std::variant<pid_t, StartFailed> start_program(const Program& program, Strength strength, int log);

}  // namespace ogni::sandbox
