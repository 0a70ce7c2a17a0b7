// How a subcommand plugs into the program: it declares its words to CLI11, and leaves behind what is to be run.
#pragma once

#include <functional>
#include <string>

#include "cli/exit_code.h"

namespace CLI {
class App;
}

namespace ogni::cli {

// Options that every subcommand which speaks to the service has.
struct CommonOptions {
  std::string endpoint_url;  // empty: from the environment, else the default
  std::string output = "text";

  bool wants_json() const { return output == "json"; }
};

// Filled while the command line is parsed; run after it.
struct Chosen {
  std::function<Outcome<ExitCode>()> run;
};

void add_endpoint_option(CLI::App& command, CommonOptions& options);
void add_output_option(CLI::App& command, CommonOptions& options);

// One per subcommand, each in a file of its name.
void add_serve(CLI::App& app, Chosen& chosen);
void add_deploy(CLI::App& app, Chosen& chosen);
void add_invoke(CLI::App& app, Chosen& chosen);
void add_logs(CLI::App& app, Chosen& chosen);
void add_list(CLI::App& app, Chosen& chosen);
void add_delete(CLI::App& app, Chosen& chosen);
void add_layer(CLI::App& app, Chosen& chosen);
void add_bench(CLI::App& app, Chosen& chosen);
void add_rootfs(CLI::App& app, Chosen& chosen);
void add_doctor(CLI::App& app, Chosen& chosen);

}  // namespace ogni::cli
