#include "bootstrap/choice.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "bootstrap/exec_way.h"
#include "bootstrap/exec_wrapper.h"
#include "bootstrap/server_choice.h"
#include "bootstrap/worker_command.h"
#include "bootstrap/worker_way.h"

namespace ogni::bootstrap {
namespace {

constexpr std::int64_t kPreforkMax = 64;

Choice none(std::string reason) { return {nullptr, std::move(reason)}; }

// False: OGNI_CHILDREN is neither.
bool read_children(const Settings& settings, Children::Policy& policy) {
  const std::string text = settings.text("children");
  if (text == "kill") policy = Children::Policy::kKill;
  if (text == "keep") policy = Children::Policy::kKeep;
  return text.empty() || text == "kill" || text == "keep";
}

Choice worker(WorkerCommand command, const Settings& settings, std::string reason, const std::string& wrapper = {}) {
  reason += "; its worker is " + command.arguments.front();
  WorkerSettings worker{
      .command = std::move(command), .environment = settings.function_environment(), .wrapper = wrapper};
  if (!wrapper.empty() && settings.opt() != "/opt") worker.environment.push_back("OGNI_OPT=" + settings.opt());
  std::int64_t prefork = 0;
  if (!settings.number("prefork", kPreforkMax, prefork)) return none("OGNI_PREFORK is no number from 0 to 64");
  worker.prefork = static_cast<std::size_t>(prefork);
  worker.explains = settings.is_on("debug");
  if (prefork > 0) reason += ", a fresh one for each invocation";
  if (!read_children(settings, worker.children)) return none("OGNI_CHILDREN is neither kill nor keep");
  return {std::make_unique<WorkerWay>(std::move(worker)), std::move(reason)};
}

Choice language_worker(const Language& language, const Settings& settings, const std::string& reason) {
  std::string interpreter = find_interpreter(language, settings);
  if (interpreter.empty()) {
    std::string directories;
    for (const std::string& directory : settings.search_path()) directories += " " + directory;
    return none(reason + ", but there is no " + list(language.interpreters, " or ") + " in" + directories);
  }
  return worker(worker_command(language, std::move(interpreter), settings), settings, reason);
}

Choice named_interpreter(const std::string& interpreter, const Settings& settings) {
  const Language* language = language_of_interpreter(interpreter);
  const std::string reason = "OGNI_INTERPRETER names " + interpreter;
  if (language == nullptr) return none(reason + ", for which there is no worker");
  const std::string wrapper = exec_wrapper();
  return worker(worker_command(*language, interpreter, settings, wrapper), settings, reason, wrapper);
}

Choice named_language(const std::string& name, const Settings& settings) {
  const Language* language = language_named(name);
  if (language != nullptr) return language_worker(*language, settings, "OGNI_LANGUAGE is " + name);
  std::string names;
  for (const Language& each : languages()) names += std::string(names.empty() ? "" : ", ") + each.name;
  return none("OGNI_LANGUAGE is " + name + ", for which there is no worker; there are: " + names);
}

// The user's own worker; what cannot be found is refused by its start.
Choice own_worker(const std::string& name, const Settings& settings) {
  const std::string program = settings.find_program(name);
  WorkerCommand command;
  command.arguments.push_back(program.empty() ? name : program);
  return worker(std::move(command), settings, "OGNI_WORKER names " + name);
}

Choice exec(const std::string& line, const Settings& settings, const std::string& reason) {
  std::vector<std::string> words;
  if (std::string problem; !settings.find_command(line, words, problem)) return none(reason + ": " + problem);
  const std::string program = words.front();
  ExecCommand command{std::move(words), settings.text_or("exec.content_type", "application/json")};
  if (!read_children(settings, command.children)) return none("OGNI_CHILDREN is neither kill nor keep");
  return {std::make_unique<ExecWay>(std::move(command), settings.function_environment()),
          reason + ": " + program + " is executed for each invocation"};
}

std::string looked_for(const Settings& settings) {
  const std::string& handler = settings.handler();
  const std::string root = settings.task_root() + "/";
  std::string text = "handler '" + handler + "': ";
  if (!handler.empty() && ::access((root + handler).c_str(), F_OK) == 0) {
    text += root + handler + " is there and is not an executable file (chmod 755); ";
  }
  std::string module = handler.substr(0, handler.rfind('.'));
  for (char& c : module) {
    if (c == '.') c = '/';
  }
  std::string files;
  for (const Language& language : languages()) {
    files += (files.empty() ? root + module + "." : ", .") + list(language.extensions, ", .");
  }
  return text + "there is no " + files + ", no executable file " + root + handler +
         ", and neither OGNI_WORKER, OGNI_INTERPRETER, OGNI_LANGUAGE nor OGNI_EXEC_COMMAND is set";
}

Choice choose_worker(const Settings& settings) {
  if (const std::string own = settings.text("worker"); !own.empty()) return own_worker(own, settings);
  if (const std::string path = settings.text("interpreter"); !path.empty()) return named_interpreter(path, settings);
  if (const std::string name = settings.text("language"); !name.empty()) return named_language(name, settings);
  const HandlerFile file = find_handler(settings);
  if (file.language == nullptr) return none(looked_for(settings));
  return language_worker(*file.language, settings, "the handler's file is " + file.path);
}

Choice choose_exec(const Settings& settings) {
  const std::string line = settings.text("exec.command");
  if (!line.empty()) return exec(line, settings, "OGNI_EXEC_COMMAND");
  return exec(quoted_word(settings.handler()), settings, "the handler's name");
}

}  // namespace

Choice choose(const Settings& settings) {
  if (!settings.problem().empty()) return none(settings.problem());
  const std::string way = settings.text("way");
  if (way == "worker") return choose_worker(settings);
  if (way == "exec") return choose_exec(settings);
  if (way == "http") return choose_http(settings);
  if (way == "fastcgi") return choose_fastcgi(settings);
  if (!way.empty()) return none("OGNI_WAY is " + way + "; it can be worker, exec, http or fastcgi");
  for (const char* name : {"worker", "interpreter", "language"}) {
    if (!settings.text(name).empty()) return choose_worker(settings);
  }
  if (!settings.text("http.command").empty()) return choose_http(settings);
  for (const char* name : {"fastcgi.command", "fastcgi.address"}) {
    if (!settings.text(name).empty()) return choose_fastcgi(settings);
  }
  if (!settings.text("exec.command").empty()) return choose_exec(settings);
  const std::string& handler = settings.handler();
  if (!handler.empty() && is_executable(settings.task_root() + "/" + handler)) {
    return exec(quoted_word("./" + handler), settings, "the handler is an executable file");
  }
  if (handler.ends_with(".php") && ::access((settings.task_root() + "/" + handler).c_str(), R_OK) == 0) {
    return choose_fastcgi(settings);
  }
  return choose_worker(settings);
}

}  // namespace ogni::bootstrap
