#include "service/api/runtimes.h"

#include <unistd.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/text.h"
#include "service/managed_runtimes.h"

namespace ogni::service {
namespace {

// No longer accepted for new functions. Source: AWS Lambda Developer Guide, "Lambda runtimes".
constexpr std::string_view kRetired[] = {
    "nodejs",        "nodejs4.3",     "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x",    "nodejs12.x",
    "nodejs14.x",    "java8",         "python2.7",      "python3.6",  "python3.7",  "dotnetcore1.0", "dotnetcore2.0",
    "dotnetcore2.1", "dotnetcore3.1", "go1.x",          "ruby2.5",    "ruby2.7",    "provided",
};
constexpr std::string_view kPython = "python3.";

bool is_in(std::string_view text, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool is_installed(std::string_view python) { return ::access(("/usr/bin/" + std::string(python)).c_str(), X_OK) == 0; }

std::vector<std::string> installed_pythons() {
  std::vector<std::string> found;
  for (int minor = 0; minor < 40; ++minor) {
    std::string name = std::string(kPython) + std::to_string(minor);
    if (is_installed(name)) found.push_back(std::move(name));
  }
  return found;
}

}  // namespace

ApiResult<void> check_runtime(std::string_view runtime, const ApiSettings& settings, const RootPointer& root) {
  if (!is_in(runtime, kRuntimes)) {
    std::string message = "Value " + printable(runtime) +
                          " at 'runtime' failed to satisfy constraint: Member "
                          "must satisfy enum value set: [";
    for (const std::string_view known : kNamedRuntimes) {
      if (message.back() != '[') message += ", ";
      message += known;
    }
    return refuse(ErrorType::kInvalidParameterValue, message + "] or be a valid ARN");
  }
  if (is_in(runtime, kRetired)) {
    return refuse(ErrorType::kInvalidParameterValue,
                  "The runtime parameter of " + std::string(runtime) +
                      " is no longer supported for creating or updating AWS Lambda functions. We recommend you use a "
                      "supported runtime while creating or updating functions.");
  }
  if (runtime.starts_with("provided.")) return {};
  if (root && is_managed_runtime(runtime)) {
    auto interpreter = Roots::interpreter(root, std::string(runtime));
    if (!interpreter) return refuse(ErrorType::kInvalidParameterValue, interpreter.error().message());
    return {};
  }
  const std::vector<std::string> pythons = installed_pythons();
  if (runtime.starts_with(kPython)) {
    if (is_installed(runtime) || (settings.allow_nearest_python && !pythons.empty())) return {};
  }
  if (!runtime.starts_with(kPython) && !managed_interpreter(runtime).empty()) return {};
  std::string here = "provided.al2023, provided.al2";
  for (const std::string& python : pythons) here += ", " + python;
  for (const std::string_view other : {"nodejs", "ruby", "java"}) {
    if (!managed_interpreter(other).empty()) here += ", " + std::string(other);
  }
  std::string message = "The runtime " + std::string(runtime) + " is not available on this host. It has: " + here + ".";
  if (is_managed_runtime(runtime)) {
    message += " It needs " + managed_interpreter_words(runtime) + ".";
  } else {
    message += " Any other language runs as a custom runtime (provided.al2023) with a bootstrap.";
  }
  return refuse(ErrorType::kInvalidParameterValue, std::move(message));
}

}  // namespace ogni::service
