// ogni invoke: calls a function and waits for its answer. The payload goes to stdout and nothing else does.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <memory>

#include "base/digest.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/payload.h"
#include "cli/service_client.h"

namespace ogni::cli {
namespace {

struct InvokeOptions {
  CommonOptions common;
  std::string name;
  std::string payload;
  std::string qualifier;
  bool wants_log = false;
  bool is_dry_run = false;
};

// AWS's longest timeout, an init before it, and some time for the answer to travel.
constexpr std::chrono::seconds kInvokeMax{900 + 60};

std::string target_of(const InvokeOptions& options) {
  std::string query;
  if (!options.qualifier.empty()) query = "?Qualifier=" + percent_encode(options.qualifier);
  return function_target(options.name, "/invocations" + query);
}

std::string log_of(const HttpResponse& response) {
  auto log = from_base64(response.header("X-Amz-Log-Result"));
  return log ? *log : std::string();
}

void print_json(const HttpResponse& response) {
  json::object result{{"StatusCode", response.status}};
  const auto add = [&](const char* member, std::string_view value) {
    if (!value.empty()) result[member] = value;
  };
  add("FunctionError", response.header("X-Amz-Function-Error"));
  add("ExecutedVersion", response.header("X-Amz-Executed-Version"));
  add("RequestId", response.header("x-amzn-RequestId"));
  const std::string log = log_of(response);
  add("Log", is_utf8(log) ? log : for_terminal(log));
  boost::system::error_code error;
  json::value payload = json::parse(response.body, error);
  if (error) payload = is_utf8(response.body) ? response.body : to_base64(response.body);
  if (!response.body.empty()) result["Payload"] = std::move(payload);
  print_line(json::serialize(result));
}

void print_text(const HttpResponse& response) {
  if (std::string log = log_of(response); !log.empty()) {
    if (log.ends_with('\n')) log.pop_back();
    note(is_terminal(STDERR_FILENO) ? for_terminal(log) : log);
  }
  print(for_stdout(response.body));
  if (is_terminal(STDOUT_FILENO) && !response.body.empty()) print("\n");
}

// "function error: Runtime.ExitError: RequestId: … Error: Runtime exited …"
std::string error_line(const HttpResponse& response) {
  std::string line = "ogni: function error";
  boost::system::error_code error;
  const json::value payload = json::parse(response.body, error);
  if (error || !payload.is_object()) return line;
  for (const char* member : {"errorType", "errorMessage"}) {
    if (const std::string text = text_of(payload.get_object(), member); !text.empty())
      line += ": " + printable(text, 1000);
  }
  return line;
}

Outcome<ExitCode> invoke(const InvokeOptions& options) {
  auto service = ServiceClient::open(options.common);
  if (!service) return stop(service.error());
  auto payload = read_payload(options.payload);
  if (!payload) return stop(payload.error());
  HttpRequest request{.method = "POST", .target = target_of(options), .headers = {}, .body = *payload};
  request.headers.emplace_back("X-Amz-Invocation-Type", options.is_dry_run ? "DryRun" : "RequestResponse");
  if (options.wants_log) request.headers.emplace_back("X-Amz-Log-Type", "Tail");
  auto response = service->http().send(request, kInvokeMax);
  if (!response) return stop(to_failure(response.error()));
  if (response->status < 200 || response->status > 299) return stop(to_failure(*response));
  if (options.common.wants_json()) {
    print_json(*response);
  } else {
    print_text(*response);
  }
  if (response->header("X-Amz-Function-Error").empty()) return ExitCode::kOk;
  note(error_line(*response));
  return ExitCode::kFunctionError;
}

}  // namespace

void add_invoke(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<InvokeOptions>();
  CLI::App* command = app.add_subcommand("invoke", "Call a function and print its answer");
  command->add_option("NAME", options->name, "The function: name, name:qualifier or ARN")->required();
  command->add_option("-p,--payload", options->payload, "The event: JSON, @FILE, or - for standard input")
      ->type_name("JSON");
  command->add_option("--qualifier", options->qualifier, "Version or alias");
  command->add_flag("-l,--log,--tail", options->wants_log, "Print the end of the invocation's log to stderr");
  command->add_flag("--dry-run", options->is_dry_run, "Check that the function could be called, without calling it");
  add_endpoint_option(*command, options->common);
  add_output_option(*command, options->common);
  command->footer(
      "The answer goes to stdout as it came; log and function errors go to stderr.\n"
      "\n"
      "Examples:\n"
      "  ogni invoke hello --payload '{\"name\":\"you\"}'\n"
      "  ogni invoke hello --payload @event.json --log\n"
      "  echo '{}' | ogni invoke hello --payload - --output json | jq .Payload\n"
      "\n"
      "Exit codes: 0 answered; 1 the function answered with an error; 2 usage; 3 unreachable; 4 refused.");
  command->callback([options, &chosen] { chosen.run = [options] { return invoke(*options); }; });
}

}  // namespace ogni::cli
