#include "bootstrap/worker_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "bootstrap/descriptor.h"
#include "bootstrap/exec_wrapper.h"

namespace ogni::bootstrap {
namespace {

constexpr const char* kScriptInMemory = "/proc/self/fd/5";

std::string_view file_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// "python3.11" and "python3" are both "python", "guile-3.0" is "guile".
std::string_view without_version(std::string_view name) {
  while (name.size() > 1 && (name.back() == '.' || name.back() == '-' || (name.back() >= '0' && name.back() <= '9'))) {
    name.remove_suffix(1);
  }
  return name;
}

std::string with_slashes(std::string name) {
  std::replace(name.begin(), name.end(), '.', '/');
  return name;
}

// What may be the handler's file, without its extension.
std::vector<std::string> modules_of(const std::string& handler) {
  std::vector<std::string> modules;
  const auto add = [&](std::string module) {
    if (!module.empty() && std::find(modules.begin(), modules.end(), module) == modules.end()) {
      modules.push_back(std::move(module));
    }
  };
  const std::string before_last = handler.substr(0, handler.rfind('.'));
  add(with_slashes(before_last));
  add(before_last);
  const std::size_t name = handler.rfind('/') + 1;
  add(handler.substr(0, handler.find('.', name)));
  if (const std::size_t colons = handler.find("::"); colons != std::string::npos) {
    add(with_slashes(handler.substr(0, colons)));
  }
  return modules;
}

bool has_archive(const std::string& directory, const std::string& extension) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == extension) return true;
  }
  return false;
}

std::string replaced(std::string_view word, const std::pair<std::string_view, std::string>& what) {
  std::string result(word);
  for (std::size_t at = 0; (at = result.find(what.first, at)) != std::string::npos; at += what.second.size()) {
    result.replace(at, what.first.size(), what.second);
  }
  return result;
}

// What the customer's own options for Java decide is not decided here: two garbage collectors end the virtual machine, and
// of other options the command line would win over JAVA_TOOL_OPTIONS.
class JavaOptions {
 public:
  JavaOptions(const Language& language, const std::string& wrapper)
      : is_java_(language.name == std::string_view("java")) {
    wrapped_ = !wrapper.empty();
    for (const char* name : {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}) {
      if (const char* value = std::getenv(name); value != nullptr) text_ += std::string(value) + " ";
    }
  }

  // `word` is an option of the command line. A wrapper may set variables that are not known here.
  bool decide(std::string_view word) const {
    constexpr std::string_view kOption = "-XX:";
    if (!is_java_ || !word.starts_with(kOption)) return false;
    word.remove_prefix(kOption.size());
    if (word.ends_with("GC")) return wrapped_ || text_.find("GC ") != std::string::npos;
    if (word.starts_with('+') || word.starts_with('-')) word.remove_prefix(1);
    return text_.find(word.substr(0, word.find('='))) != std::string::npos;
  }

 private:
  bool is_java_;
  bool wrapped_ = false;
  std::string text_;
};

// The embedded script as a file of its own name; it lives as long as the environment. Empty: it cannot be written.
std::string write_script(const Language& language) {
  const char* temporary = std::getenv("TMPDIR");
  std::string directory = std::string(temporary == nullptr ? "/tmp" : temporary) + "/ogni-worker-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return {};
  const std::string path = directory + "/" + language.file_name;
  std::FILE* file = std::fopen(path.c_str(), "wxe");
  if (file == nullptr) return {};
  const bool written = std::fwrite(language.script.data(), 1, language.script.size(), file) == language.script.size();
  return std::fclose(file) == 0 && written ? path : std::string();
}

}  // namespace

const Language* language_named(std::string_view name) {
  for (const Language& language : languages()) {
    if (language.name == name) return &language;
  }
  return nullptr;
}

const Language* language_of_interpreter(std::string_view path) {
  const std::string_view wanted = without_version(file_name(path));
  for (const Language& language : languages()) {
    for (const char* interpreter : language.interpreters) {
      if (interpreter != nullptr && without_version(interpreter) == wanted) return &language;
    }
  }
  return nullptr;
}

HandlerFile find_handler(const Settings& settings) {
  for (const std::string& module : modules_of(settings.handler())) {
    for (const Language& language : languages()) {
      for (const char* extension : language.extensions) {
        if (extension == nullptr) break;
        std::string path = settings.task_root() + "/" + module + "." + extension;
        if (::access(path.c_str(), R_OK) == 0) return {&language, std::move(path)};
      }
    }
  }
  if (settings.handler().find("::") == std::string::npos) return {};
  for (const Language& language : languages()) {
    if (language.archive_extension == nullptr) continue;
    for (const char* directory : {"", "/lib"}) {
      const std::string path = settings.task_root() + directory;
      if (has_archive(path, std::string(".") + language.archive_extension)) return {&language, path};
    }
  }
  return {};
}

std::string find_interpreter(const Language& language, const Settings& settings) {
  for (const char* interpreter : language.interpreters) {
    if (interpreter == nullptr) break;
    for (const std::string& directory : settings.search_path()) {
      std::string path = directory + "/" + interpreter;
      if (is_executable(path)) return path;
    }
  }
  return {};
}

WorkerCommand worker_command(const Language& language, std::string interpreter, const Settings& settings,
                             const std::string& wrapper) {
  WorkerCommand command;
  const bool differs = !wrapper.empty() && language.wrapped_arguments.front() != nullptr;
  const Words& arguments = differs ? language.wrapped_arguments : language.arguments;
  command.memory_files = language.memory_files;
  command.last_words = language.last_words;
  command.keeps_errors = language.last_words != nullptr || language.adds_errors;
  command.script_path = settings.opt() + "/ogni/workers/" + language.file_name;
  if (::access(command.script_path.c_str(), R_OK) != 0) {
    command.opens_pipes = std::any_of(arguments.begin(), arguments.end(), [](const char* word) {
      return word != nullptr && std::string_view(word) == WorkerCommand::kRequestsPath;
    });
    command.script_path = language.handover == Language::Handover::kFile ? write_script(language) : std::string();
  }
  if (command.script_path.empty()) command.script = language.script;

  const std::string script = command.script_path.empty() ? kScriptInMemory : command.script_path;
  command.arguments.push_back(std::move(interpreter));
  const JavaOptions java_options(language, wrapper);
  for (const char* word : arguments) {
    if (word == nullptr) break;
    if (java_options.decide(word)) continue;
    std::string argument = replaced(word, {"{script}", script});
    argument = replaced(argument, {"{directory}", script.substr(0, script.rfind('/'))});
    command.arguments.push_back(replaced(argument, {"{opt}", settings.opt()}));
  }
  if (!wrapper.empty()) wrap(wrapper, command);
  return command;
}

std::string list(const Words& words, std::string_view separator) {
  std::string result;
  for (const char* word : words) {
    if (word == nullptr) break;
    if (!result.empty()) result += separator;
    result += word;
  }
  return result;
}

}  // namespace ogni::bootstrap
