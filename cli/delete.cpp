// ogni delete: removes a function and its code, after asking.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "cli/output.h"
#include "cli/service_client.h"

namespace ogni::cli {
namespace {

struct DeleteOptions {
  CommonOptions common;
  std::string name;
  bool is_confirmed = false;
};

Outcome<void> confirm(const DeleteOptions& options) {
  if (options.is_confirmed) return {};
  if (!is_terminal(STDIN_FILENO)) {
    return stop(ExitCode::kUsage, "nobody is there to be asked: say --yes to delete without a question");
  }
  std::fputs(("Delete function '" + printable(options.name) + "'? [y/N] ").c_str(), stderr);
  std::fflush(stderr);
  const int answer = std::getchar();
  if (answer == 'y' || answer == 'Y') return {};
  return stop(ExitCode::kUsage, "not deleted");
}

Outcome<ExitCode> delete_function(const DeleteOptions& options) {
  auto service = ServiceClient::open(options.common);
  if (!service) return stop(service.error());
  if (auto confirmed = confirm(options); !confirmed) return stop(confirmed.error());
  auto deleted = service->call("DELETE", function_target(options.name));
  if (!deleted) return stop(deleted.error());
  if (options.common.wants_json()) {
    print_line(json::serialize(json::object{{"FunctionName", options.name}, {"Deleted", true}}));
  } else {
    note("deleted " + printable(options.name));
  }
  return ExitCode::kOk;
}

}  // namespace

void add_delete(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<DeleteOptions>();
  CLI::App* command = app.add_subcommand("delete", "Delete a function");
  command->add_option("NAME", options->name, "The function")->required();
  command->add_flag("-y,--yes", options->is_confirmed, "Do not ask");
  add_endpoint_option(*command, options->common);
  add_output_option(*command, options->common);
  command->footer("Example:\n  ogni delete hello --yes");
  command->callback([options, &chosen] { chosen.run = [options] { return delete_function(*options); }; });
}

}  // namespace ogni::cli
