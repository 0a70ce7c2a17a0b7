// ogni deploy: a folder becomes a function, or the new code and settings of one.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <memory>

#include "base/text.h"
#include "cli/code.h"
#include "cli/deployment.h"
#include "cli/interpreter_note.h"
#include "cli/output.h"
#include "cli/service_client.h"
#include "protocol/arn.h"
#include "protocol/limits.h"

namespace ogni::cli {
namespace {

namespace limits = protocol::limits;

constexpr char kNetworkTag[] = "ogni:network";
constexpr char kRootTag[] = "ogni:rootfs";

struct DeployOptions {
  CommonOptions common;
  std::string path;
  std::string name;
  std::string runtime;
  std::string handler;
  std::string role;
  std::optional<std::string> description;
  std::string network;
  std::string rootfs;
  std::optional<int> memory_mb;
  std::optional<int> timeout_seconds;
  std::vector<std::string> environment;
  std::vector<std::string> layers;
  bool has_no_layers = false;
  bool wants_default_bootstrap = false;
};

Outcome<std::string> name_of(const DeployOptions& options) {
  if (!options.name.empty()) return options.name;
  std::error_code error;
  const std::filesystem::path place = std::filesystem::canonical(options.path, error);
  std::string name = error ? std::string() : place.stem().string();
  if (protocol::is_name(name) && name.size() <= limits::kFunctionNameCharsMax) return name;
  return stop(ExitCode::kUsage, "'" + printable(name.empty() ? options.path : name) +
                                    "' cannot be a function's name (letters, digits, - and _, at most 64): choose one "
                                    "with --name");
}

Outcome<json::object> variables_of(const DeployOptions& options) {
  json::object variables;
  for (const std::string& pair : options.environment) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return stop(ExitCode::kUsage, "--env '" + printable(pair.substr(0, equals)) + "' is not of the form NAME=VALUE");
    }
    variables[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return variables;
}

// What the caller said; the guesses of runtime and handler are added once the folder was looked at.
Outcome<json::object> settings_of(const DeployOptions& options) {
  json::object settings;
  if (!options.role.empty()) settings["Role"] = options.role;
  if (options.description) settings["Description"] = *options.description;
  if (options.memory_mb) settings["MemorySize"] = *options.memory_mb;
  if (options.timeout_seconds) settings["Timeout"] = *options.timeout_seconds;
  if (!options.environment.empty()) {
    auto variables = variables_of(options);
    if (!variables) return stop(variables.error());
    settings["Environment"] = json::object{{"Variables", std::move(*variables)}};
  }
  if (!options.layers.empty()) settings["Layers"] = json::array(options.layers.begin(), options.layers.end());
  if (options.has_no_layers) settings["Layers"] = json::array();
  return settings;
}

void print_next_steps(const DeployOptions& options, const json::object& f, std::string_view done,
                      const CodePackage& code) {
  const std::string name = printable(text_of(f, "FunctionName"));
  const std::string endpoint =
      options.common.endpoint_url.empty() ? "" : " --endpoint-url " + printable(options.common.endpoint_url);
  print_line(fmt::format("{} {} ({}, handler {}, {})", done, name, printable(text_of(f, "Runtime")),
                         printable(text_of(f, "Handler")), human_bytes(code.zip.size())));
  print_line(fmt::format("\nCall it:    ogni invoke {}{} --payload '{{}}' --log", name, endpoint));
  print_line(fmt::format("Its logs:   ogni logs {}{} -f", name, endpoint));
}

// Of a service on this host, whose interpreters can be asked. A root file system has its own.
void note_interpreter(const DeployOptions& options, const json::object& f) {
  const auto endpoint = find_endpoint(options.common);
  const json::value* tags = f.if_contains("Tags");
  const bool has_root =
      !options.rootfs.empty() || (tags != nullptr && tags->is_object() && tags->get_object().contains(kRootTag));
  if (!endpoint || has_root || (endpoint->host != "127.0.0.1" && endpoint->host != "localhost")) return;
  if (const std::string words = host_interpreter_note(text_of(f, "Runtime")); !words.empty()) note(words);
}

Outcome<ExitCode> deploy(const DeployOptions& options) {
  auto name = name_of(options);
  if (!name) return stop(name.error());
  auto settings = settings_of(options);
  if (!settings) return stop(settings.error());
  auto service = ServiceClient::open(options.common);
  if (!service) return stop(service.error());
  auto existing = service->find_function(*name);
  if (!existing) return stop(existing.error());

  const json::value* const layers = *existing ? (*existing)->if_contains("Layers") : nullptr;
  const bool keeps_layers = layers != nullptr && layers->is_array() && !layers->get_array().empty();
  const bool has_layers = !options.layers.empty() || (keeps_layers && !options.has_no_layers);
  package::Hints hints{.runtime = options.runtime, .handler = options.handler};
  if (has_layers && !options.wants_default_bootstrap) hints.bootstrap = package::BootstrapPolicy::kNever;
  auto code = load_code(options.path, hints);
  if (!code) return stop(code.error());
  for (const std::string& remark : code->notes) note(remark);
  if (!code->runtime.empty()) (*settings)["Runtime"] = code->runtime;
  if (!code->handler.empty()) (*settings)["Handler"] = code->handler;

  json::object tags;
  if (!options.network.empty()) tags[kNetworkTag] = options.network;
  if (!options.rootfs.empty()) tags[kRootTag] = options.rootfs;
  if (!tags.empty()) {
    if (!*existing) {
      (*settings)["Tags"] = tags;
    } else if (auto tagged = tag_function(*service, **existing, tags); !tagged) {
      return stop(tagged.error());
    }
  }
  auto deployed = *existing ? update_function(*service, *name, *settings, code->zip)
                            : create_function(*service, *name, std::move(*settings), code->zip);
  if (!deployed) return stop(deployed.error());
  if (options.common.wants_json()) {
    print_line(json::serialize(*deployed));
  } else {
    print_next_steps(options, *deployed, *existing ? "updated" : "created", *code);
    note_interpreter(options, *deployed);
  }
  return ExitCode::kOk;
}

}  // namespace

void add_deploy(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<DeployOptions>();
  CLI::App* command = app.add_subcommand("deploy", "Create a function from a folder, or update it");
  command->add_option("DIR", options->path, "The folder with the code, or a zip of it")->required();
  command->add_option("--name", options->name, "Name of the function (default: of the folder)");
  command->add_option("--runtime", options->runtime,
                      "provided.al2023, python3.N, nodejsN.x, rubyN.N, javaN (default: guessed)");
  command->add_option("--handler", options->handler, "FILE.FUNCTION (default: guessed)");
  command->add_option("--memory", options->memory_mb, "Memory in MB (default 128)")
      ->check(CLI::Range(limits::kMemoryMbMin, limits::kMemoryMbMax))
      ->type_name("MB");
  command->add_option("--timeout", options->timeout_seconds, "Longest run of one call in seconds (default 3)")
      ->check(CLI::Range(1, limits::kTimeoutSecondsMax))
      ->type_name("S");
  command->add_option("--env", options->environment, "Environment variable; replaces the whole set; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  auto* const layer =
      command->add_option("--layer", options->layers, "Version of a layer; replaces the whole list; may be repeated")
          ->type_name("ARN")
          ->allow_extra_args(false);
  command->add_flag("--no-layers", options->has_no_layers, "Take the layers off the function")->excludes(layer);
  command->add_flag("--default-bootstrap", options->wants_default_bootstrap,
                    "Add the default bash bootstrap to a folder of scripts even if the function has layers");
  command
      ->add_option("--network", options->network,
                   "What it reaches, as tag ogni:network, if ogni serve --network lets it")
      ->check(CLI::IsMember({"egress", "loopback"}))
      ->type_name("REACH");
  command
      ->add_option("--rootfs", options->rootfs,
                   "Root file system it runs on, as tag ogni:rootfs: a name of ogni rootfs list, or host")
      ->type_name("NAME");
  command->add_option("--role", options->role, "Role ARN, for what reads it; Ogni grants nothing by it")
      ->type_name("ARN");
  command->add_option("--description", options->description, "A few words about the function");
  add_endpoint_option(*command, options->common);
  add_output_option(*command, options->common);
  command->footer(
      "What is guessed: an executable 'bootstrap' is a custom runtime (provided.al2023); a shell script\n"
      "gets Ogni's default bash bootstrap; Python files run on the newest python3.N of this host.\n"
      "Options that are left out keep what a deployed function has.\n"
      "\n"
      "Examples:\n"
      "  ogni deploy hello\n"
      "  ogni deploy . --name resize --memory 512 --timeout 30 --env MODE=fast");
  command->callback([options, &chosen] { chosen.run = [options] { return deploy(*options); }; });
}

}  // namespace ogni::cli
