// What is started in an environment for a function, and the variables it sees.
//
// Source: AWS Lambda Developer Guide, "Using Lambda environment variables", and a recording of a provided.al2023
// process. Differences from AWS: the Runtime API is at 127.0.0.1:9001 (as on provided.al2), and in the `process`
// strength paths are those of the host.
#pragma once

#include <string>
#include <vector>

#include "catalogue/model.h"
#include "protocol/arn.h"
#include "sandbox/environment.h"

namespace ogni::service {

// Where things are, seen from the function.
struct FunctionPaths {
  std::string task_root = "/var/task";
  std::string runtime_root = "/var/runtime";
  std::string layers_root = "/opt";
  std::string temporary = "/tmp";
  std::string runtime_api = "127.0.0.1:9001";
  std::string interpreter;  // of a managed runtime, where it is not the host's
};

sandbox::Program make_program(const catalogue::Function& function, const FunctionPaths& paths,
                              const protocol::Home& home, const std::string& log_stream);

// The paths that were looked for, in AWS's words: "/var/task/bootstrap /opt/bootstrap".
std::string candidate_words(const catalogue::Function& function);

}  // namespace ogni::service
