// ogni serve: collects the settings and runs the daemon.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/serve_settings.h"
#include "service/daemon.h"

namespace ogni::cli {
namespace {

struct ServeOptions {
  std::string config;
  // In the order of setting_rows(): CLI11 keeps references to them.
  std::vector<std::vector<std::string>> words;
  std::vector<CLI::Option*> flags;
};

const char* lookup(const char* name) { return std::getenv(name); }

SettingWords flag_words(const ServeOptions& options) {
  SettingWords words;
  const auto rows = setting_rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (options.flags[i]->count() == 0) continue;
    words[rows[i].name] = rows[i].kind == SettingKind::kSwitch ? std::vector<std::string>{"true"} : options.words[i];
  }
  return words;
}

Outcome<ExitCode> serve(const ServeOptions& options) {
  auto config = config_source(options.config, ::geteuid() == 0, lookup);
  if (!config) return stop(ExitCode::kUsage, config.error().message());
  const SettingSource sources[] = {{.name = "flag", .words = flag_words(options)},
                                   {.name = "environment", .words = words_from_environment(lookup)},
                                   std::move(*config)};
  auto settings = merge_settings(sources);
  if (!settings) return stop(ExitCode::kUsage, settings.error().message());
  return static_cast<ExitCode>(service::run_daemon(*settings));
}

}  // namespace

void add_serve(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Run the service");
  command
      ->add_option("--config", options->config,
                   "Settings file (default: /etc/ogni/ogni.toml as root, else ~/.config/ogni/ogni.toml)")
      ->type_name("FILE");
  const auto rows = setting_rows();
  options->words.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string flag = std::string("--") + rows[i].name;
    if (rows[i].kind == SettingKind::kSwitch) {
      options->flags.push_back(command->add_flag(flag, rows[i].help));
      continue;
    }
    CLI::Option* option = command->add_option(flag, options->words[i], rows[i].help)->type_name(rows[i].type_name);
    option->allow_extra_args(false);
    if (rows[i].kind != SettingKind::kList) option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    options->flags.push_back(option);
  }
  command->footer(
      "Each setting can also come from the environment (OGNI_IDLE_TIMEOUT=60) or from the settings\n"
      "file (idle-timeout = 60); a flag goes before the environment, that before the file.\n"
      "\n"
      "Examples:\n"
      "  ogni serve\n"
      "  ogni serve --listen 127.0.0.1:0 --data /tmp/ogni --isolation process");
  command->callback([options, &chosen] { chosen.run = [options] { return serve(*options); }; });
}

}  // namespace ogni::cli
