#include "bootstrap/report.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "protocol/errors.h"
#include "runtime/json_text.h"

namespace ogni::bootstrap {
namespace {

constexpr std::size_t kStackLinesMax = 1000;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() < kStackLinesMax) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::string ErrorReport::json() const {
  return body.empty() ? runtime::error_json(type, message, lines_of(stack_trace)) : body;
}

ErrorReport plain_report(std::string type, std::string message) {
  return {std::move(type), "", std::move(message), ""};
}

ErrorReport report_of(const FrameReader& frame) {
  ErrorReport report;
  report.type = frame.field("type");
  if (report.type.empty()) report.type = protocol::function_error::kUnknown;
  if (frame.field("content_type") == "application/json") {
    report.body = frame.body();
    return report;
  }
  std::size_t message_bytes = frame.body().size();
  const std::string_view field = frame.field("message_bytes");
  std::from_chars(field.data(), field.data() + field.size(), message_bytes);
  message_bytes = std::min(message_bytes, frame.body().size());
  report.message = frame.body().substr(0, message_bytes);
  report.stack_trace = frame.body().substr(message_bytes);
  return report;
}

ErrorReport exit_report(std::string_view death, std::string_view request_id) {
  ErrorReport report;
  report.type = protocol::function_error::kExitError;
  report.message = "RequestId: " + std::string(request_id) + " Error: Runtime exited ";
  report.message += death.empty() ? "without providing a reason" : "with error: " + std::string(death);
  // The member order of the platform's own report.
  report.body = "{\"errorType\":";
  runtime::append_json_string(report.body, report.type);
  report.body += ",\"errorMessage\":";
  runtime::append_json_string(report.body, report.message);
  report.body += '}';
  return report;
}

ErrorReport protocol_report() {
  return plain_report("Runtime.InvalidWorkerReply", "the worker did not keep to the worker protocol");
}

}  // namespace ogni::bootstrap
