// The `ogni` command: reads the words, runs one subcommand, turns its end into an exit code.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/version.h"

namespace ogni::cli {
namespace {

constexpr char kDescription[] = "Ogni runs functions in any programming language, the AWS Lambda way.";
constexpr char kFooter[] =
    "First steps:\n"
    "  ogni serve                                  start the service on http://127.0.0.1:4566\n"
    "  ogni deploy hello                           deploy the folder hello\n"
    "  ogni invoke hello --payload '{\"name\":\"you\"}'\n"
    "\n"
    "Exit codes: 0 done; 1 the function answered with an error; 2 the command's words are off or a\n"
    "file cannot be used; 3 the service cannot be reached; 4 the service refused.\n"
    "\n"
    "Endpoint: --endpoint-url, else OGNI_ENDPOINT, AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL,\n"
    "else http://127.0.0.1:4566. https (AWS itself) is not supported by this version.";

int report(const Failure& failure) {
  note("ogni: " + (failure.type.empty() ? "" : failure.type + ": ") + failure.message);
  return static_cast<int>(failure.code);
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "ogni");
  app.set_version_flag("--version", "ogni " OGNI_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  Chosen chosen;
  for (const auto add : {add_serve, add_deploy, add_invoke, add_logs, add_list, add_delete, add_layer, add_bench,
                         add_rootfs, add_doctor}) {
    add(app, chosen);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  const Outcome<ExitCode> outcome = chosen.run();
  if (!outcome) return report(outcome.error());
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return report({.code = ExitCode::kUsage, .message = "standard output cannot be written", .type = {}});
  }
  return static_cast<int>(*outcome);
}

}  // namespace
}  // namespace ogni::cli

int main(int argc, char** argv) {
  try {
    return ogni::cli::run(argc, argv);
  } catch (const std::exception& error) {
    ogni::cli::note(std::string("ogni: internal error: ") + error.what());
    return 70;  // EX_SOFTWARE
  }
}
