#include "cli/interpreter_note.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include "service/managed_runtimes.h"

namespace ogni::cli {
namespace {

struct ClosePipe {
  void operator()(std::FILE* file) const { ::pclose(file); }
};

constexpr std::string_view kDigits = "0123456789";

// "20.20.2" of "v20.20.2", "17.0.15" of `openjdk version "17.0.15" 2025-04-15`.
std::string_view version_in(std::string_view words) {
  const std::size_t begin = words.find_first_of(kDigits);
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = words.substr(begin);
  std::string_view version = rest.substr(0, rest.find_first_not_of("0123456789."));
  while (version.ends_with('.')) version.remove_suffix(1);
  return version;
}

std::string_view language_of(std::string_view runtime) {
  if (runtime.starts_with("nodejs")) return "Node.js";
  if (runtime.starts_with("ruby")) return "Ruby";
  if (runtime.starts_with("java")) return "Java";
  return runtime.starts_with("python") ? "Python" : "";
}

}  // namespace

std::string interpreter_note(std::string_view runtime, std::string_view words) {
  const std::string_view language = language_of(runtime);
  const std::size_t digits = runtime.find_first_of(kDigits);
  const std::string_view found = version_in(words);
  if (language.empty() || digits == std::string_view::npos || found.empty()) return {};
  std::string_view wanted = runtime.substr(digits);  // "24.x", "3.3", "17.al2023"
  wanted = wanted.substr(0, wanted.find_first_not_of("0123456789."));
  while (wanted.ends_with('.')) wanted.remove_suffix(1);
  if (found == wanted || found.starts_with(std::string(wanted) + ".")) return {};
  return fmt::format("{} runs on {} {} here: that is the version which this host has", runtime, language, found);
}

std::string host_interpreter_note(const std::string& runtime) {
  const std::string interpreter = service::managed_interpreter(runtime);
  if (interpreter.empty() || interpreter.find_first_of("'\n") != std::string::npos) return {};
  const std::string command = "'" + interpreter + "' " + (runtime.starts_with("java") ? "-" : "--") + "version 2>&1";
  const std::unique_ptr<std::FILE, ClosePipe> pipe(::popen(command.c_str(), "re"));
  std::array<char, 256> line{};
  if (!pipe || std::fgets(line.data(), static_cast<int>(line.size()), pipe.get()) == nullptr) return {};
  return interpreter_note(runtime, line.data());
}

}  // namespace ogni::cli
