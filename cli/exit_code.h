// What scripts can rely on; `ogni --help` and the manual page say the same.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace ogni::cli {

enum class ExitCode : int {
  kOk = 0,
  kFunctionError = 1,  // the function answered with an error; for doctor: this host cannot serve
  kUsage = 2,          // the command's words are off, or what they name on this machine cannot be used
  kUnreachable = 3,    // no answer from the service
  kRefused = 4,        // the service answered with an error
};

// Why a command ends early: its exit code and the words for stderr.
struct Failure {
  ExitCode code = ExitCode::kUsage;
  std::string message;
  std::string type;  // the service's error name (ResourceNotFoundException) for kRefused; empty otherwise
};

template <typename T>
using Outcome = std::expected<T, Failure>;

inline auto stop(Failure failure) { return std::unexpected<Failure>(std::move(failure)); }
inline auto stop(ExitCode code, std::string message) {
  return std::unexpected<Failure>(Failure{.code = code, .message = std::move(message), .type = {}});
}

}  // namespace ogni::cli
