#include "cli/command.h"

#include <CLI/CLI.hpp>

namespace ogni::cli {

void add_endpoint_option(CLI::App& command, CommonOptions& options) {
  command.add_option("--endpoint-url", options.endpoint_url, "Where the service is")->type_name("URL");
}

void add_output_option(CLI::App& command, CommonOptions& options) {
  command.add_option("--output", options.output, "text or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

}  // namespace ogni::cli
