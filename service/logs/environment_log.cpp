#include "service/logs/environment_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <ctime>

#include "base/system.h"
#include "protocol/limits.h"

namespace ogni::service {

namespace {

double milliseconds(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

// Billed time is rounded up to whole milliseconds, init included (since August 2025 for every function).
long long billed_milliseconds(const InvocationReport& report) {
  const auto billed = report.duration + report.init.value_or(std::chrono::nanoseconds(0));
  return std::chrono::ceil<std::chrono::milliseconds>(billed).count();
}

// At least one: the kernel charges in batches.
std::uint64_t used_mb(const InvocationReport& report) {
  constexpr std::uint64_t kMiB = 1 << 20;
  return std::max<std::uint64_t>(1, (report.memory_used_bytes + kMiB - 1) / kMiB);
}

std::string now() { return to_iso8601(std::chrono::system_clock::now()); }

std::string_view name_of(InitPhaseName phase) { return phase == InitPhaseName::kInit ? "init" : "invoke"; }

// `,"name":"value"`, behind another member.
std::string member(std::string_view name, std::string_view value) {
  return fmt::format(R"(,"{}":{})", name, boost::json::serialize(boost::json::string_view(value.data(), value.size())));
}

std::string phase_members(InitPhaseName phase) {
  return fmt::format(R"("initializationType":"on-demand","phase":"{}")", name_of(phase));
}

std::string duration_metrics(std::chrono::nanoseconds duration) {
  return fmt::format(R"(,"metrics":{{"durationMs":{:.3f}}})", milliseconds(duration));
}

}  // namespace

std::string make_log_stream_name(WallTime created, std::string_view version) {
  std::array<unsigned char, 16> id;
  fill_random(id);
  const std::time_t seconds = std::chrono::system_clock::to_time_t(created);
  std::tm day{};
  ::gmtime_r(&seconds, &day);
  return fmt::format("{:04}/{:02}/{:02}/[{}]{}", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday, version,
                     to_hex(std::string_view(reinterpret_cast<const char*>(id.data()), id.size())));
}

void EnvironmentLog::line(WallTime time, std::string_view text) {
  store_.append(function_, stream_, time, text);
  if (!in_invocation_) return;
  tail_ += text;
  tail_ += '\n';
  if (tail_.size() > 4 * protocol::limits::kLogTailBytes) {
    tail_.erase(0, tail_.size() - protocol::limits::kLogTailBytes);
  }
}

void EnvironmentLog::printed(WallTime time, std::string_view text) {
  if (!config_.is_json || !is_below(text, config_.application)) line(time, text);
}

LineSplitter::Taken EnvironmentLog::output(std::string_view bytes, std::size_t lines_max) {
  const WallTime now = std::chrono::system_clock::now();
  return splitter_.push(bytes, lines_max, [this, now](std::string_view text) { printed(now, text); });
}

void EnvironmentLog::end_line() {
  splitter_.finish([this](std::string_view text) { printed(std::chrono::system_clock::now(), text); });
}

void EnvironmentLog::platform(std::string_view text) {
  end_line();
  line(text);
}

void EnvironmentLog::event(LogLevel level, std::string_view type, std::string_view record) {
  end_line();
  if (level < config_.system) return;
  line(fmt::format(R"({{"time":"{}","type":"platform.{}","record":{{{}}}}})", now(), type, record));
}

void EnvironmentLog::error_entry(std::string_view request_id, std::string_view message, std::string_view error_type) {
  std::string text = fmt::format(R"({{"timestamp":"{}","level":"ERROR")", now());
  text += member("message", message);
  if (!error_type.empty()) text += member("errorType", error_type);
  text += member("requestId", request_id);
  platform(text + "}");
}

void EnvironmentLog::notice(std::string_view text) {
  if (!config_.is_json) return platform(text);
  platform(fmt::format(R"({{"timestamp":"{}","level":"WARN"{}}})", now(), member("message", text)));
}

void EnvironmentLog::failed(std::string_view request_id, std::string_view message, std::string_view error_type) {
  if (config_.is_json) return error_entry(request_id, message, error_type);
  platform(fmt::format("RequestId: {} Error: {}", request_id, message));
  platform(error_type);
}

void EnvironmentLog::timed_out(std::string_view request_id, std::string_view message) {
  if (config_.is_json) return error_entry(request_id, message, {});
  platform(fmt::format("{} {} {}", now(), request_id, message));
}

void EnvironmentLog::init_start(const InitStart& init) {
  if (!config_.is_json) {
    if (init.phase != InitPhaseName::kInit) return;
    return platform(
        fmt::format("INIT_START Runtime Version: {}\tRuntime Version ARN: {}", init.runtime, init.runtime_version_arn));
  }
  std::string record = phase_members(init.phase);
  record += member("runtimeVersion", init.runtime) + member("runtimeVersionArn", init.runtime_version_arn);
  record += member("functionName", function_) + member("functionVersion", init.version);
  record += member("instanceId", stream_) + fmt::format(R"(,"instanceMaxMemory":{})", init.memory_mb);
  event(LogLevel::kInfo, "initStart", record);
}

void EnvironmentLog::init_done(std::chrono::nanoseconds duration, InitPhaseName phase) {
  if (!config_.is_json) return;
  const std::string record = phase_members(phase) + member("status", "success");
  event(LogLevel::kDebug, "initRuntimeDone", record);
  event(LogLevel::kDebug, "initReport", record + duration_metrics(duration));
}

void EnvironmentLog::init_report(std::chrono::nanoseconds duration, InitPhaseName phase, std::string_view status,
                                 std::string_view error_type) {
  if (config_.is_json) {
    std::string record = phase_members(phase) + member("status", status);
    if (!error_type.empty()) record += member("errorType", error_type);
    event(LogLevel::kWarn, "initRuntimeDone", record);
    return event(LogLevel::kWarn, "initReport", record + duration_metrics(duration));
  }
  std::string text = fmt::format("INIT_REPORT Init Duration: {:.2f} ms\tPhase: {}\tStatus: {}", milliseconds(duration),
                                 name_of(phase), status);
  if (!error_type.empty()) text += fmt::format("\tError Type: {}", error_type);
  platform(text);
}

void EnvironmentLog::start(std::string_view request_id, std::string_view version) {
  end_line();
  tail_.clear();
  in_invocation_ = true;
  if (!config_.is_json) return line(fmt::format("START RequestId: {} Version: {}", request_id, version));
  event(LogLevel::kInfo, "start", member("requestId", request_id).substr(1) + member("version", version));
}

void EnvironmentLog::end(const InvocationReport& report) {
  if (config_.is_json) {
    const bool failed = !report.status.empty();
    std::string record = member("requestId", report.request_id).substr(1);
    record += member("status", failed ? report.status : "success");
    if (!report.error_type.empty()) record += member("errorType", report.error_type);
    event(failed ? LogLevel::kWarn : LogLevel::kDebug, "runtimeDone", record + duration_metrics(report.duration));
    std::string metrics =
        fmt::format(R"(,"metrics":{{"durationMs":{:.3f},"billedDurationMs":{},"memorySizeMB":{},"maxMemoryUsedMB":{})",
                    milliseconds(report.duration), billed_milliseconds(report), report.memory_mb, used_mb(report));
    if (report.init) metrics += fmt::format(R"(,"initDurationMs":{:.3f})", milliseconds(*report.init));
    event(failed ? LogLevel::kWarn : LogLevel::kInfo, "report", record + metrics + "}");
  } else {
    platform(fmt::format("END RequestId: {}", report.request_id));
    this->report(report);
  }
  in_invocation_ = false;
}

void EnvironmentLog::report(const InvocationReport& report) {
  std::string text = fmt::format(
      "REPORT RequestId: {}\tDuration: {:.2f} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
      report.request_id, milliseconds(report.duration), billed_milliseconds(report), report.memory_mb, used_mb(report));
  if (report.init) text += fmt::format("Init Duration: {:.2f} ms\t", milliseconds(*report.init));
  if (!report.status.empty()) text += fmt::format("Status: {}", report.status);
  if (!report.error_type.empty()) text += fmt::format("\tError Type: {}", report.error_type);
  platform(text);
}

std::string EnvironmentLog::take_tail() {
  if (tail_.size() > protocol::limits::kLogTailBytes) tail_.erase(0, tail_.size() - protocol::limits::kLogTailBytes);
  std::string tail = std::move(tail_);
  tail_.clear();
  return tail;
}

}  // namespace ogni::service
