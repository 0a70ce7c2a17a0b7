// Which worker serves this function.
//
// In this order: OGNI_WORKER (the path of a worker of the user's own), OGNI_INTERPRETER (set by the service for a
// managed runtime: /usr/bin/python3.N), the file of the handler in LAMBDA_TASK_ROOT (app.py for `app.handler`).
#pragma once

#include <string>
#include <vector>

#include "bootstrap/worker.h"

namespace ogni::bootstrap {

struct Choice {
  WorkerCommand command;  // no arguments: nothing was found
  std::string reason;     // why this one; or what was looked for
};

Choice choose_worker();

// This process's variables less those that are Ogni's own ("OGNI_...") or belong to one invocation.
std::vector<std::string> worker_environment();

}  // namespace ogni::bootstrap
