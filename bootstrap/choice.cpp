#include "bootstrap/choice.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "embedded/python_worker.h"
#include "protocol/runtime_api.h"

namespace ogni::bootstrap {
namespace {

// Runs what descriptor 5 holds, under the name that a traceback shall show for it. The argument is where layers are.
constexpr const char* kPythonLoader =
    "import os,sys\n"
    "s=b''\n"
    "while c:=os.read(5,65536):s+=c\n"
    "os.close(5)\n"
    "f='/var/runtime/bootstrap'\n"
    "exec(compile(s,f,'exec'),{'__name__':'ogni_worker','__file__':f,'_options':{'opt':sys.argv[1]}})\n";

std::string variable(const char* name, std::string fallback = {}) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::move(fallback) : value;
}

// -B: nothing is written beside the function's code, wherever that lies.
WorkerCommand python(std::string interpreter) {
  return {{std::move(interpreter), "-B", "-c", kPythonLoader, variable("OGNI_OPT", "/opt")}, embedded::python_worker};
}

std::string_view file_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

Choice choose_worker() {
  if (const std::string own = variable("OGNI_WORKER"); !own.empty()) {
    return {{{own}, {}}, "OGNI_WORKER names " + own};
  }
  if (const std::string interpreter = variable("OGNI_INTERPRETER"); !interpreter.empty()) {
    if (!file_name(interpreter).starts_with("python")) {
      return {{}, "OGNI_INTERPRETER names " + interpreter + ", for which there is no worker"};
    }
    return {python(interpreter), "OGNI_INTERPRETER names " + interpreter};
  }
  const std::string handler = variable(protocol::variable::kHandler);
  std::string module = handler.substr(0, handler.rfind('.'));
  for (char& c : module) {
    if (c == '.') c = '/';
  }
  const std::string file = variable(protocol::variable::kTaskRoot, "/var/task") + "/" + module + ".py";
  if (!module.empty() && ::access(file.c_str(), R_OK) == 0) {
    return {python("/usr/bin/python3"), "the handler's file is " + file};
  }
  return {{},
          "handler '" + handler + "': there is no " + file + ", and neither OGNI_WORKER nor OGNI_INTERPRETER is set"};
}

std::vector<std::string> worker_environment() {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (!name.starts_with("OGNI_") && name != protocol::variable::kTraceId) result.emplace_back(text);
  }
  return result;
}

}  // namespace ogni::bootstrap
