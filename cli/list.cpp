// ogni list: the functions of the service.
#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <memory>

#include "base/text.h"
#include "cli/output.h"
#include "cli/service_client.h"

namespace ogni::cli {
namespace {

Outcome<ExitCode> list_functions(const CommonOptions& options) {
  auto service = ServiceClient::open(options);
  if (!service) return stop(service.error());
  auto functions = service->list("/2015-03-31/functions", "Functions");
  if (!functions) return stop(functions.error());
  if (options.wants_json()) {
    print_line(json::serialize(json::object{{"Functions", std::move(*functions)}}));
    return ExitCode::kOk;
  }
  if (functions->empty()) {
    note("no functions yet. Deploy one with: ogni deploy DIR");
    return ExitCode::kOk;
  }
  std::vector<std::vector<std::string>> rows{{"NAME", "RUNTIME", "HANDLER", "MODIFIED", "MEMORY", "TIMEOUT", "CODE"}};
  for (const json::value& item : *functions) {
    const json::object& f = item.get_object();
    rows.push_back({printable(text_of(f, "FunctionName")), printable(text_of(f, "Runtime")),
                    printable(text_of(f, "Handler")), printable(text_of(f, "LastModified").substr(0, 19)),
                    std::to_string(number_of(f, "MemorySize")) + " MB", std::to_string(number_of(f, "Timeout")) + " s",
                    human_bytes(static_cast<std::uint64_t>(number_of(f, "CodeSize")))});
  }
  print(table(rows, 3));
  return ExitCode::kOk;
}

}  // namespace

void add_list(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<CommonOptions>();
  CLI::App* command = app.add_subcommand("list", "List the functions");
  add_endpoint_option(*command, *options);
  add_output_option(*command, *options);
  command->footer("Example:\n  ogni list --output json | jq -r '.Functions[].FunctionName'");
  command->callback([options, &chosen] { chosen.run = [options] { return list_functions(*options); }; });
}

}  // namespace ogni::cli
