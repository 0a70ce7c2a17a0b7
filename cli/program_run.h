// For tests: the real `ogni` program, which lies beside the folder of the tests, run to its end.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace ogni::cli {

struct ProgramRun {
  int exit_code = -1;  // 128 + signal if one ended it
  std::string out;
  std::string err;
};

// Runs with nothing of the caller's environment but PATH, a HOME that does not exist, and `environment`. Kills what has
// not ended after 30 s.
ProgramRun run_ogni(const std::vector<std::string>& arguments,
                    const std::map<std::string, std::string>& environment = {}, const std::string& input = {});

}  // namespace ogni::cli
