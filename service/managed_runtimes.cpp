#include "service/managed_runtimes.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "base/fd.h"

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

constexpr std::string_view kPlacesWithin[] = {"/var/lang/bin/", "/usr/local/bin/", "/usr/bin/"};

Fd open_within(int root, const std::string& path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

bool is_program_within(int root, const std::string& path) {
  const Fd file = open_within(root, path, O_PATH);
  struct stat status{};
  return file && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IXOTH) != 0;
}

std::string java_within(int root, std::string_view runtime) {
  const Fd machines = open_within(root, "/usr/lib/jvm", O_RDONLY | O_DIRECTORY);
  if (!machines) return {};
  const std::string prefix = "java-" + std::string(java_version(runtime)) + "-";
  std::error_code error;
  const std::string own = "/proc/self/fd/" + std::to_string(machines.get());
  for (std::filesystem::directory_iterator at(own, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::string program = "/usr/lib/jvm/" + name + "/bin/java";
    if (name.starts_with(prefix) && is_program_within(root, program)) return program;
  }
  return {};
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

std::string managed_interpreter_within(int root, std::string_view runtime) {
  std::vector<std::string_view> names;
  if (runtime.starts_with(kPython)) names = {runtime};
  if (runtime.starts_with(kNode)) names = {"node", kNode};
  if (runtime.starts_with(kRuby)) names = {runtime, kRuby};
  if (runtime.starts_with(kJava)) {
    if (std::string program = java_within(root, runtime); !program.empty()) return program;
    names = {kJava};
  }
  for (const std::string_view name : names) {
    for (const std::string_view place : kPlacesWithin) {
      std::string program = std::string(place) + std::string(name);
      if (is_program_within(root, program)) return program;
    }
  }
  return {};
}

std::string managed_interpreter_words(std::string_view runtime) {
  if (runtime.starts_with(kPython)) return "/usr/bin/" + std::string(runtime);
  if (runtime.starts_with(kNode)) return "/usr/bin/node";
  if (runtime.starts_with(kRuby)) return "/usr/bin/ruby";
  return "/usr/bin/java";
}

}  // namespace ogni::service
