#include "service/managed_runtimes.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace ogni::service {
namespace {

constexpr std::string_view kPython = "python3.";
constexpr std::string_view kNode = "nodejs";
constexpr std::string_view kRuby = "ruby";
constexpr std::string_view kJava = "java";

bool is_program(const std::string& path) { return ::access(path.c_str(), X_OK) == 0; }

std::string first_program(const std::string& directory, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    std::string path = directory + std::string(name);
    if (is_program(path)) return path;
  }
  return {};
}

// "17" of "java17" and "java17.al2023".
std::string_view java_version(std::string_view runtime) {
  runtime.remove_prefix(kJava.size());
  return runtime.substr(0, runtime.find('.'));
}

std::string java_interpreter(std::string_view runtime, const std::string& usr) {
  const std::string prefix = "java-" + std::string(java_version(runtime)) + "-";
  std::error_code error;
  for (std::filesystem::directory_iterator at(usr + "/lib/jvm", error), end; !error && at != end; at.increment(error)) {
    std::string program = at->path().string() + "/bin/java";
    if (at->path().filename().string().starts_with(prefix) && is_program(program)) return program;
  }
  return first_program(usr + "/bin/", {kJava});
}

}  // namespace

bool is_managed_runtime(std::string_view runtime) {
  return runtime.starts_with(kPython) || runtime.starts_with(kNode) || runtime.starts_with(kRuby) ||
         runtime.starts_with(kJava);
}

std::string managed_interpreter(std::string_view runtime, const std::string& usr) {
  const std::string bin = usr + "/bin/";
  if (runtime.starts_with(kPython)) return first_program(bin, {runtime});
  if (runtime.starts_with(kNode)) return first_program(bin, {"node", kNode});
  if (runtime.starts_with(kRuby)) return first_program(bin, {runtime, kRuby});
  if (runtime.starts_with(kJava)) return java_interpreter(runtime, usr);
  return {};
}

std::string managed_interpreter_words(std::string_view runtime) {
  if (runtime.starts_with(kPython)) return "/usr/bin/" + std::string(runtime);
  if (runtime.starts_with(kNode)) return "/usr/bin/node";
  if (runtime.starts_with(kRuby)) return "/usr/bin/ruby";
  return "/usr/bin/java";
}

}  // namespace ogni::service
