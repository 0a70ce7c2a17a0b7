// One run of a program with its output collected: what the exec way does with each event.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/children.h"

namespace ogni::bootstrap {

struct ProgramRun {
  enum class Outcome {
    kEnded,
    kNotStarted,     // errno says why
    kTooMuchOutput,  // it has been killed
  };
  Outcome outcome = Outcome::kNotStarted;
  int wait_status = 0;
  std::string errors;  // the end of stderr
};

// More on stdout ends the program. Far above the 6 MiB that AWS takes, so that it is the platform that says "too large".
constexpr std::size_t kOutputBytesMax = 256 * 1024 * 1024;

// Runs it to its end. `output` is replaced by what it wrote on stdout; its stderr passes to this program's at once.
// Processes of its group that outlive it are killed, unless they are to be kept.
ProgramRun run_program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                       std::string_view input, Children::Policy children, std::string& output);

}  // namespace ogni::bootstrap
