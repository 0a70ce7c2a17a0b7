#include "package/detect.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <regex>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/system.h"
#include "base/text.h"
#include "embedded/default_bootstrap.h"

namespace ogni::package {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kEntriesMax = 10'000;               // of the top folder that are looked at
constexpr std::size_t kScriptBytesMax = 4 * 1024 * 1024;  // of one script that is searched for functions

struct Folder {
  std::string path;
  bool has_bootstrap = false;
  bool bootstrap_is_executable = false;
  std::vector<std::string> shell;   // stems of *.sh, sorted
  std::vector<std::string> python;  // stems of *.py, sorted
};

std::string shown(std::string_view name) { return printable(name, 4096); }

Result<Folder> look_into(const std::string& directory) {
  Folder folder{.path = directory};
  std::error_code error;
  std::size_t seen = 0;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (++seen > kEntriesMax) break;
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    const fs::path name = at->path().filename();
    if (name == "bootstrap") {
      folder.has_bootstrap = true;
      struct ::stat status{};
      folder.bootstrap_is_executable = ::stat(at->path().c_str(), &status) == 0 && (status.st_mode & 0111) != 0;
    } else if (name.extension() == ".sh") {
      folder.shell.push_back(name.stem().string());
    } else if (name.extension() == ".py") {
      folder.python.push_back(name.stem().string());
    }
  }
  if (error) return failure(Error::from_errno("read folder '" + shown(directory) + "'", error.value()));
  std::ranges::sort(folder.shell);
  std::ranges::sort(folder.python);
  return folder;
}

// The names that lines of the file define. Line by line: std::regex recurses with the length of its subject.
Result<std::vector<std::string>> definitions(const std::string& path, const std::regex& definition) {
  auto text = read_file(path, kScriptBytesMax);
  if (!text) return failure(text.error());
  std::vector<std::string> names;
  std::string_view left = *text;
  while (!left.empty()) {
    const std::string_view line = left.substr(0, std::min(left.find('\n'), left.size()));
    left.remove_prefix(std::min(line.size() + 1, left.size()));
    const std::string head(line.substr(0, 200));
    std::smatch match;
    if (!std::regex_search(head, match, definition)) continue;
    const std::string name = match[1].matched ? match[1].str() : match[2].str();
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

Result<std::vector<std::string>> shell_functions(const Folder& folder, const std::string& stem) {
  static const std::regex kDefinition(R"(^(?:function\s+([A-Za-z_][\w-]*)|([A-Za-z_][\w-]*)\s*\(\s*\)))");
  return definitions(folder.path + "/" + stem + ".sh", kDefinition);
}

Result<std::vector<std::string>> python_handlers(const Folder& folder, const std::string& stem) {
  static const std::regex kDefinition(R"(^(?:async\s+)?def\s+(handler|lambda_handler)\s*\()");
  return definitions(folder.path + "/" + stem + ".py", kDefinition);
}

std::string joined(const std::vector<std::string>& names, std::string_view suffix = "") {
  std::string text;
  for (const std::string& name : names) {
    if (text.size() > 300) return text + ", …";
    if (!text.empty()) text += ", ";
    text += shown(name + std::string(suffix));
  }
  return text;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// "hello" of "hello.handler"; the handler itself where there is no dot.
std::string stem_of(const std::string& handler) { return handler.substr(0, handler.rfind('.')); }

Result<std::string> shell_handler(const Folder& folder) {
  if (folder.shell.size() > 1) {
    return failure(ErrorCode::kInvalidArgument, "'" + shown(folder.path) + "' holds several scripts (" +
                                                    joined(folder.shell, ".sh") +
                                                    "): name the function to call with --handler SCRIPT.FUNCTION");
  }
  const std::string& stem = folder.shell.front();
  auto functions = shell_functions(folder, stem);
  if (!functions) return failure(functions.error());
  if (has(*functions, "handler")) return stem + ".handler";
  if (functions->size() == 1) return stem + "." + functions->front();
  if (functions->empty()) {
    return failure(ErrorCode::kInvalidArgument,
                   "'" + shown(stem) +
                       ".sh' defines no function. The handler of a shell script is a function that reads the event "
                       "from its first argument and prints the answer: handler() { echo '{}'; }");
  }
  return failure(ErrorCode::kInvalidArgument,
                 "'" + shown(stem) + ".sh' defines several functions (" + joined(*functions) +
                     "): name the one to call, for example --handler " + shown(stem) + "." + shown(functions->front()));
}

// Every MODULE.FUNCTION of the folder that looks like a handler; just the usual one if that is there.
Result<std::vector<std::string>> python_candidates(const Folder& folder) {
  std::vector<std::string> found;
  for (const std::string& stem : folder.python) {
    auto names = python_handlers(folder, stem);
    if (!names) return failure(names.error());
    if (stem == "lambda_function" && has(*names, "lambda_handler")) {
      return std::vector<std::string>{"lambda_function.lambda_handler"};
    }
    if (!names->empty()) found.push_back(stem + "." + (has(*names, "handler") ? "handler" : names->front()));
  }
  return found;
}

Result<std::string> python_handler(const Folder& folder) {
  auto candidates = python_candidates(folder);
  if (!candidates) return failure(candidates.error());
  if (candidates->size() == 1) return candidates->front();
  if (candidates->empty()) {
    return failure(ErrorCode::kInvalidArgument,
                   "no Python file of '" + shown(folder.path) +
                       "' defines handler(event, context) or lambda_handler(event, context): write one, or name the "
                       "function to call with --handler MODULE.FUNCTION");
  }
  return failure(ErrorCode::kInvalidArgument, "several functions of '" + shown(folder.path) +
                                                  "' look like the handler (" + joined(*candidates) +
                                                  "): name one with --handler");
}

enum class Language { kProvided, kShell, kPython };

Result<Language> language_of(const Folder& folder, const Hints& hints) {
  if (hints.runtime.starts_with("python")) return Language::kPython;
  if (folder.has_bootstrap) return Language::kProvided;
  if (!hints.handler.empty()) {
    const bool is_shell = has(folder.shell, stem_of(hints.handler));
    const bool is_python = hints.runtime.empty() && has(folder.python, stem_of(hints.handler));
    if (is_shell && !is_python) return Language::kShell;
    if (is_python && !is_shell) return Language::kPython;
  }
  if (hints.bootstrap == BootstrapPolicy::kNever && !hints.runtime.empty()) return Language::kProvided;
  if (folder.python.empty() && !folder.shell.empty()) return Language::kShell;
  if (!folder.python.empty() && folder.shell.empty()) return Language::kPython;
  if (!folder.python.empty()) {
    auto candidates = python_candidates(folder);
    if (!candidates) return failure(candidates.error());
    if (candidates->empty()) return Language::kShell;
    if (!shell_handler(folder)) return Language::kPython;
    return failure(ErrorCode::kInvalidArgument,
                   "'" + shown(folder.path) +
                       "' holds both shell and Python functions: name the one to call with --handler, "
                       "for example --handler " +
                       shown(candidates->front()));
  }
  if (!hints.runtime.empty() || hints.bootstrap == BootstrapPolicy::kNever) return Language::kProvided;
  return failure(
      ErrorCode::kInvalidArgument,
      "'" + shown(folder.path) +
          "' holds no executable 'bootstrap', no *.sh and no *.py, so its runtime cannot be guessed. Name it "
          "with --runtime and --handler, and bring a bootstrap in the folder or with --layer");
}

Result<void> guess_python(const Folder& folder, const Hints& hints, Guess& guess) {
  if (guess.runtime.empty()) guess.runtime = newest_python(hints.interpreters);
  if (guess.runtime.empty()) {
    return failure(ErrorCode::kNotFound, "this looks like a Python function, but there is no python3.N in " +
                                             hints.interpreters +
                                             ". Install one (apt install python3), or name what "
                                             "the service has with --runtime python3.N");
  }
  if (!guess.handler.empty()) return {};
  auto handler = python_handler(folder);
  if (!handler) return failure(handler.error());
  guess.handler = std::move(*handler);
  return {};
}

Result<void> guess_shell(const Folder& folder, const Hints& hints, Guess& guess) {
  if (guess.runtime.empty()) guess.runtime = kProvidedRuntime;
  if (guess.handler.empty()) {
    auto handler = shell_handler(folder);
    if (!handler) return failure(handler.error());
    guess.handler = std::move(*handler);
  }
  if (hints.bootstrap == BootstrapPolicy::kNever) {
    guess.notes.push_back("no bootstrap in " + shown(folder.path) + ": a layer has to bring it");
    return {};
  }
  guess.extra.push_back({.path = "bootstrap", .bytes = std::string(embedded::default_bootstrap), .mode = 0755});
  guess.notes.push_back("no bootstrap in " + shown(folder.path) +
                        ": added Ogni's default bash bootstrap, as the AWS console does");
  return {};
}

Result<void> guess_provided(const Folder& folder, Guess& guess) {
  if (folder.has_bootstrap && !folder.bootstrap_is_executable) {
    return failure(ErrorCode::kInvalidArgument, "'" + shown(folder.path) + "/bootstrap' is not executable: chmod +x '" +
                                                    shown(folder.path) + "/bootstrap'");
  }
  if (guess.runtime.empty()) guess.runtime = kProvidedRuntime;
  if (!folder.has_bootstrap && guess.runtime.starts_with("provided")) {
    guess.notes.push_back("no bootstrap in " + shown(folder.path) + ": a layer has to bring it");
  }
  if (!guess.handler.empty()) return {};
  // A script beside the bootstrap is most likely what it sources; otherwise the name says nothing to a custom
  // runtime.
  guess.handler = "bootstrap";
  if (folder.shell.size() != 1) return {};
  if (auto handler = shell_handler(folder)) guess.handler = std::move(*handler);
  return {};
}

}  // namespace

std::string newest_python(const std::string& directory) {
  constexpr std::string_view kPrefix = "python3.";
  int newest = -1;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    int minor = -1;
    const char* const last = name.data() + name.size();
    const auto [stop, status] = std::from_chars(name.data() + kPrefix.size(), last, minor);
    if (status != std::errc() || stop != last || minor <= newest) continue;
    if (::access(at->path().c_str(), X_OK) == 0) newest = minor;
  }
  return newest < 0 ? std::string() : std::string(kPrefix) + std::to_string(newest);
}

Result<Guess> detect(const std::string& directory, const Hints& hints) {
  auto folder = look_into(directory);
  if (!folder) return failure(folder.error());
  auto language = language_of(*folder, hints);
  if (!language) return failure(language.error());
  Guess guess{.runtime = hints.runtime, .handler = hints.handler, .extra = {}, .notes = {}};
  Result<void> done;
  switch (*language) {
    case Language::kPython:
      done = guess_python(*folder, hints, guess);
      break;
    case Language::kShell:
      done = guess_shell(*folder, hints, guess);
      break;
    case Language::kProvided:
      done = guess_provided(*folder, guess);
      break;
  }
  if (!done) return failure(done.error());
  return guess;
}

}  // namespace ogni::package
