#include "bootstrap/report.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>
#include <vector>

#include "bootstrap/json.h"
#include "protocol/errors.h"
#include "runtime/json_text.h"
#include "runtime/log.h"
#include "runtime/report.h"
#include "runtime/xray_cause.h"

namespace ogni::bootstrap {
namespace {

using runtime::Client;

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

// A body that a worker has made is the usual JSON of errors, or something of its own.
std::string message_of(const ErrorReport& report) {
  return report.body.empty() ? report.message : Json::parse(report.body)["errorMessage"].text();
}

std::string_view xray_cause(runtime::Buffer& out, const ErrorReport& report) {
  runtime::XrayCause cause(out);
  if (report.body.empty()) {
    cause.exception(report.type, report.message);
    cause.frames(report.stack_trace);
    return cause.end();
  }
  const Json body = Json::parse(report.body);
  const Json type = body["errorType"];
  cause.exception(type ? type.text() : report.type, body["errorMessage"].text());
  const Json stack = body["stackTrace"];
  for (JsonItems frames(stack ? stack : body["trace"]); frames.next();) cause.frame(frames.value().text());
  return cause.end();
}

// Empty where nobody asks for it.
std::string_view traced_cause(runtime::Buffer& out, const Client& client, const ErrorReport& report) {
  return client.is_traced() ? xray_cause(out, report) : std::string_view();
}

}  // namespace

std::string ErrorReport::json() const {
  return body.empty() ? runtime::error_json(type, message, lines_of(stack_trace)) : body;
}

void log_failure(const ErrorReport& report, std::string_view request_id) {
  const runtime::LogSettings& settings = runtime::process_log_settings();
  if (!settings.json) {
    std::fprintf(stderr, "%s\n", report.message.c_str());
    return;
  }
  std::string fields = "\"errorType\":";
  runtime::append_json_string(fields, report.type);
  runtime::write_log(settings, runtime::LogLevel::kError, report.message, request_id, fields);
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

void add_errors(ErrorReport& report, std::string_view errors) {
  constexpr int kLinesMax = 10;
  constexpr std::size_t kBytesMax = 2048;
  errors = errors.substr(0, errors.rfind("[ERROR] " + report.type + ": "));
  while (!errors.empty() && errors.back() == '\n') errors.remove_suffix(1);
  std::size_t begin = errors.size();
  for (int lines = 0; lines < kLinesMax && begin > 0; ++lines) {
    const std::size_t line = begin < 2 ? 0 : errors.rfind('\n', begin - 2) + 1;  // npos + 1 is 0
    if (errors.size() - line > kBytesMax) break;
    begin = line;
  }
  if (begin == errors.size())
    errors = errors.substr(errors.size() - std::min(errors.size(), kBytesMax));
  else
    errors.remove_prefix(begin);
  if (!errors.empty()) report.message.append(": ").append(errors);
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

Client::Answer fail(Client& client, const ErrorReport& report) {
  runtime::Buffer cause;
  return client.fail(report.type, report.json(), traced_cause(cause, client, report));
}

Client::Answer fail_stream(Client& client, const ErrorReport& report) {
  runtime::Buffer cause;
  if (!client.is_stream_sent()) {
    return client.stream_fail(report.type, report.json(), traced_cause(cause, client, report));
  }
  const std::string json = report.json();
  if (json.size() <= Client::kTrailerErrorBytesMax) return client.stream_fail(report.type, json);
  runtime::Buffer shorter;
  runtime::append_short_error_json(shorter, report.type, message_of(report), Client::kTrailerErrorBytesMax);
  return client.stream_fail(report.type, shorter.view());
}

void fail_init(Client& client, const ErrorReport& report) {
  runtime::Buffer cause;
  static_cast<void>(client.init_error(report.type, report.json(), xray_cause(cause, report)));
}

}  // namespace ogni::bootstrap
