#include "service/logs/environment_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/system.h"
#include "protocol/limits.h"

namespace ogni::service {

namespace {

double milliseconds(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

// Billed time is rounded up to whole milliseconds, init included (since August 2025 for every function).
long long billed_milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::ceil<std::chrono::milliseconds>(time).count();
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

LineSplitter::Taken EnvironmentLog::output(std::string_view bytes, std::size_t lines_max) {
  const WallTime now = std::chrono::system_clock::now();
  return splitter_.push(bytes, lines_max, [this, now](std::string_view text) { line(now, text); });
}

void EnvironmentLog::end_line() {
  splitter_.finish([this](std::string_view text) { line(text); });
}

void EnvironmentLog::platform(std::string_view text) {
  end_line();
  line(text);
}

void EnvironmentLog::init_start(std::string_view runtime, std::string_view runtime_version_arn) {
  platform(fmt::format("INIT_START Runtime Version: {}\tRuntime Version ARN: {}", runtime, runtime_version_arn));
}

void EnvironmentLog::init_report(std::chrono::nanoseconds duration, InitPhaseName phase, std::string_view status,
                                 std::string_view error_type) {
  std::string text = fmt::format("INIT_REPORT Init Duration: {:.2f} ms\tPhase: {}\tStatus: {}", milliseconds(duration),
                                 phase == InitPhaseName::kInit ? "init" : "invoke", status);
  if (!error_type.empty()) text += fmt::format("\tError Type: {}", error_type);
  platform(text);
}

void EnvironmentLog::start(std::string_view request_id, std::string_view version) {
  end_line();
  tail_.clear();
  in_invocation_ = true;
  line(fmt::format("START RequestId: {} Version: {}", request_id, version));
}

void EnvironmentLog::end(std::string_view request_id) { platform(fmt::format("END RequestId: {}", request_id)); }

void EnvironmentLog::report(const InvocationReport& report) {
  const auto billed = report.duration + report.init.value_or(std::chrono::nanoseconds(0));
  constexpr std::uint64_t kMiB = 1 << 20;
  std::string text = fmt::format(
      "REPORT RequestId: {}\tDuration: {:.2f} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
      report.request_id, milliseconds(report.duration), billed_milliseconds(billed), report.memory_mb,
      std::max<std::uint64_t>(1, (report.memory_used_bytes + kMiB - 1) / kMiB));  // the kernel charges in batches
  if (report.init) text += fmt::format("Init Duration: {:.2f} ms\t", milliseconds(*report.init));
  if (!report.status.empty()) text += fmt::format("Status: {}", report.status);
  if (!report.error_type.empty()) text += fmt::format("\tError Type: {}", report.error_type);
  platform(text);
  in_invocation_ = false;
}

std::string EnvironmentLog::take_tail() {
  if (tail_.size() > protocol::limits::kLogTailBytes) tail_.erase(0, tail_.size() - protocol::limits::kLogTailBytes);
  std::string tail = std::move(tail_);
  tail_.clear();
  return tail;
}

}  // namespace ogni::service
