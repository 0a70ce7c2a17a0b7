#include "bootstrap/exec_way.h"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "bootstrap/program_run.h"
#include "bootstrap/spawn.h"
#include "protocol/errors.h"
#include "protocol/runtime_api.h"

namespace ogni::bootstrap {
namespace {

using runtime::Client;
using runtime::Invocation;

std::int64_t remaining_ms(std::int64_t deadline_ms) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::max<std::int64_t>(0, deadline_ms - std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::string_view without_line_feeds(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// Bytes of "Type" in "Type: message"; 0 where the line is no such.
std::size_t type_bytes(std::string_view line) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos || colon == 0 || line[0] < 'A' || line[0] > 'Z') return 0;
  const bool is_name = std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
  return is_name ? colon : 0;
}

}  // namespace

ErrorReport program_report(std::string_view errors, int wait_status, std::string_view request_id) {
  errors = without_line_feeds(errors);
  if (errors.empty() || WIFSIGNALED(wait_status)) return exit_report(describe_end(wait_status), request_id);
  const std::size_t begin = errors.rfind('\n') + 1;  // npos + 1 is 0
  const std::string_view last = errors.substr(begin);
  const std::size_t type = type_bytes(last);
  ErrorReport report;
  report.type = type == 0 ? protocol::function_error::kExitError : last.substr(0, type);
  report.message = type == 0 ? last : last.substr(type + 2);
  report.stack_trace = errors.substr(0, begin);
  return report;
}

// The names are those of the Runtime API's header fields, in capitals.
void ExecWay::set_context(const Invocation& invocation) {
  environment_.resize(own_variables_);
  const auto set = [&](const char* name, std::string_view value) {
    if (value.empty()) return;
    std::string& entry = environment_.emplace_back(name);
    (entry += '=').append(value);
  };
  set("LAMBDA_RUNTIME_AWS_REQUEST_ID", invocation.request_id);
  set("LAMBDA_RUNTIME_DEADLINE_MS", std::to_string(invocation.deadline_ms));
  set("LAMBDA_RUNTIME_REMAINING_MS", std::to_string(remaining_ms(invocation.deadline_ms)));
  set("LAMBDA_RUNTIME_INVOKED_FUNCTION_ARN", invocation.invoked_function_arn);
  set("LAMBDA_RUNTIME_CLIENT_CONTEXT", invocation.client_context);
  set("LAMBDA_RUNTIME_COGNITO_IDENTITY", invocation.cognito_identity);
  set("LAMBDA_RUNTIME_AWS_TENANT_ID", invocation.tenant_id);
  set("LAMBDA_RUNTIME_CONTENT_TYPE", invocation.content_type);
  set("LAMBDA_RUNTIME_TRACE_ID", invocation.trace_id);
  set(protocol::variable::kTraceId, invocation.trace_id);
}

Client::Answer ExecWay::serve(Client& client) {
  const Invocation& invocation = client.invocation();
  set_context(invocation);
  const ProgramRun run = run_program(command_.arguments, environment_, invocation.event, command_.children, result_);
  ErrorReport report;
  switch (run.outcome) {
    case ProgramRun::Outcome::kEnded:
      if (run.wait_status == 0) return client.respond(result_, command_.content_type);
      report = program_report(run.errors, run.wait_status, invocation.request_id);
      break;
    case ProgramRun::Outcome::kNotStarted:
      report = plain_report("Runtime.InvalidEntrypoint",
                            "cannot start " + command_.arguments.front() + ": " + std::strerror(errno));
      break;
    case ProgramRun::Outcome::kTooMuchOutput:
      report = plain_report("Function.ResponseSizeTooLarge",
                            "the program wrote more than " + std::to_string(kOutputBytesMax) + " bytes on stdout");
      break;
  }
  return fail(client, report);
}

}  // namespace ogni::bootstrap
