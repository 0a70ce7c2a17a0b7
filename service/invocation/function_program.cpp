#include "service/invocation/function_program.h"

#include <charconv>
#include <map>
#include <string_view>

#include "service/logs/log_config.h"
#include "service/managed_runtimes.h"

namespace ogni::service {
namespace {

// Of this version; where the service was told to allow the nearest, the host's own python3.
std::string interpreter_of(const std::string& runtime) {
  std::string found = managed_interpreter(runtime);
  return found.empty() ? "/usr/bin/python3" : found;
}

int number_of(std::string_view digits) {
  int number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

// Where the libraries of the function and of its layers are, as AWS tells each language.
void set_library_paths(const std::string& runtime, const FunctionPaths& paths,
                       std::map<std::string, std::string>& variables) {
  const std::string& opt = paths.layers_root;
  if (runtime.starts_with("python")) {
    variables["PYTHONPATH"] = paths.runtime_root;
    if (number_of(runtime.substr(runtime.find('.') + 1)) >= 12) variables["LC_CTYPE"] = "C.UTF-8";
  }
  if (runtime.starts_with("nodejs")) {
    const std::string version = runtime.substr(6, runtime.find('.') - 6);
    variables["NODE_PATH"] = opt + "/nodejs/node" + version + "/node_modules:" + opt +
                             "/nodejs/node_modules:" + paths.runtime_root + "/node_modules:" + paths.runtime_root +
                             ":" + paths.task_root;
    if (number_of(version) <= 18) variables["NODE_EXTRA_CA_CERTS"] = paths.runtime_root + "/ca-cert.pem";
  }
  if (runtime.starts_with("ruby")) {
    const std::string version = runtime.substr(4) + ".0";
    const std::string& own = paths.runtime_root;
    variables["GEM_HOME"] = own;
    variables["GEM_PATH"] = paths.task_root + "/vendor/bundle/ruby/" + version + ":" + opt + "/ruby/gems/" + version +
                            ":" + own + ":" + own + "/ruby/" + version;
    variables["RUBYLIB"] =
        own + "/gems/aws_lambda_ric-3.1.3/lib:" + paths.task_root + ":" + own + "/lib:" + opt + "/ruby/lib";
  }
}

// What the shell script that starts AWS's managed runtimes makes of what it was given.
void set_as_shell_does(const std::string& runtime, const FunctionPaths& paths,
                       std::map<std::string, std::string>& variables) {
  variables["PWD"] = paths.task_root;
  variables.emplace("SHLVL", "0");
  if (!runtime.starts_with("ruby")) return;
  variables["PATH"].insert(0, "/var/lang/bin:");
  variables["LD_LIBRARY_PATH"].insert(0, "/var/lang/lib:");
}

}  // namespace

std::string candidate_words(const catalogue::Function& function) {
  return is_managed_runtime(function.settings.runtime) ? "/var/runtime/bootstrap"
                                                       : "/var/task/bootstrap /opt/bootstrap";
}

sandbox::Program make_program(const catalogue::Function& function, const FunctionPaths& paths,
                              const protocol::Home& home, const std::string& log_stream) {
  const catalogue::FunctionSettings& settings = function.settings;
  const bool managed = is_managed_runtime(settings.runtime);

  // Later insertions win, in the order in which AWS's supervisor merges: the platform's changeable defaults, what the
  // customer set, what is reserved.
  std::map<std::string, std::string> variables;
  variables["LANG"] = "en_US.UTF-8";
  variables["TZ"] = ":UTC";
  const std::string& opt = paths.layers_root;
  const bool has_lang = settings.runtime != "provided.al2";
  variables["PATH"] = std::string(has_lang ? "/var/lang/bin:" : "") + "/usr/local/bin:/usr/bin/:/bin:" + opt + "/bin";
  variables["LD_LIBRARY_PATH"] = std::string(has_lang ? "/var/lang/lib:" : "") +
                                 "/lib64:/usr/lib64:" + paths.runtime_root + ":" + paths.runtime_root +
                                 "/lib:" + paths.task_root + ":" + paths.task_root + "/lib:" + opt + "/lib";
  variables["AWS_XRAY_CONTEXT_MISSING"] = "LOG_ERROR";
  variables["AWS_XRAY_DAEMON_ADDRESS"] = "169.254.100.1:2000";
  variables["_AWS_XRAY_DAEMON_ADDRESS"] = "169.254.100.1";
  variables["_AWS_XRAY_DAEMON_PORT"] = "2000";
  if (managed) set_library_paths(settings.runtime, paths, variables);
  if (paths.temporary != "/tmp") variables["TMPDIR"] = paths.temporary;

  if (settings.environment) {
    for (const auto& [name, value] : *settings.environment) variables[name] = value;
  }
  if (managed) set_as_shell_does(settings.runtime, paths, variables);

  variables["AWS_LAMBDA_RUNTIME_API"] = paths.runtime_api;
  variables["_HANDLER"] = settings.handler;
  variables["LAMBDA_TASK_ROOT"] = paths.task_root;
  variables["LAMBDA_RUNTIME_DIR"] = paths.runtime_root;
  variables["AWS_REGION"] = home.region;
  variables["AWS_DEFAULT_REGION"] = home.region;
  // No account stands behind them; an SDK inside the function needs some to sign with.
  variables["AWS_ACCESS_KEY_ID"] = "ASIAOGNILOCALDUMMY00";
  variables["AWS_SECRET_ACCESS_KEY"] = "ogni";
  variables["AWS_SESSION_TOKEN"] = "ogni";
  variables["AWS_LAMBDA_FUNCTION_NAME"] = function.name;
  variables["AWS_LAMBDA_FUNCTION_VERSION"] = function.version;
  variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = std::to_string(settings.memory_mb);
  variables["AWS_LAMBDA_INITIALIZATION_TYPE"] = "on-demand";
  const LogConfig logging = log_config(settings.inert_json);
  variables["AWS_LAMBDA_LOG_GROUP_NAME"] = logging.group.empty() ? "/aws/lambda/" + function.name : logging.group;
  if (logging.is_json) {
    variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON";
    variables["AWS_LAMBDA_LOG_LEVEL"] = logging.application_level;
  }
  variables["AWS_LAMBDA_LOG_STREAM_NAME"] = log_stream;
  if (managed) {
    variables["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + settings.runtime;
    variables["OGNI_INTERPRETER"] = paths.interpreter.empty() ? interpreter_of(settings.runtime) : paths.interpreter;
    if (opt != "/opt") variables["OGNI_OPT"] = opt;
  }

  sandbox::Program program;
  if (managed) {
    program.candidates = {paths.runtime_root + "/bootstrap"};
  } else {
    program.candidates = {paths.task_root + "/bootstrap", paths.layers_root + "/bootstrap"};
  }
  program.variables.reserve(variables.size());
  for (const auto& [name, value] : variables) program.variables.push_back(name + "=" + value);
  program.working_directory = paths.task_root;
  return program;
}

}  // namespace ogni::service
