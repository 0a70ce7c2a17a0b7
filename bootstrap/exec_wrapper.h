// AWS_LAMBDA_EXEC_WRAPPER: a program of the customer's that gets the command line of a managed runtime as its arguments
// and is to execute it. Source: AWS Lambda Developer Guide, "Modifying the runtime environment", "Wrapper scripts".
#pragma once

#include <string>

#include "bootstrap/worker.h"

namespace ogni::bootstrap {

// The wrapper that this function names; empty where it names none, or where its runtime is not a managed one.
std::string exec_wrapper();

// Why a shell could not execute the wrapper, as its exit status: 127 where there is no such file, 126 where it is not
// executable, with a line on stderr. 0: it can.
int wrapper_status(const std::string& wrapper);

// Puts the wrapper before the command line. A text without "#!" is executed by a shell, as a shell does.
void wrap(const std::string& wrapper, WorkerCommand& command);

}  // namespace ogni::bootstrap
