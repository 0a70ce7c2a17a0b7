#include "service/invocation/processors.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <utility>

#include "base/system.h"

namespace ogni::service {

namespace {

constexpr std::size_t kProcessorsMax = 8192;
constexpr int kGroupsDeepMax = 32;
// A processor is idle that had nothing to do for this much of the time: the kernel counts in steps of 10 ms.
constexpr double kIdleEnough = 0.7;
constexpr double kLatelySeconds = 2;

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

// The path of this process in the hierarchy of `controller`, "" for the unified one, as /proc/self/cgroup has it.
std::optional<std::string> group_of(const std::string& groups, const std::string& controller) {
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool is = controller.empty() ? names == ",," : names.contains("," + controller + ",");
    if (is) return line.substr(second + 1);
  }
  return std::nullopt;
}

}  // namespace

Processors::Processors(std::string root) : root_(std::move(root)) {
  read_affinity();
  read_quotas();
}

std::optional<std::string> Processors::read(const std::string& path) const {
  auto text = read_file(root_ + path);
  if (!text) return std::nullopt;
  return std::move(*text);
}

void Processors::read_affinity() {
  const std::size_t bytes = CPU_ALLOC_SIZE(kProcessorsMax);
  const std::vector<cpu_set_t> none((bytes + sizeof(cpu_set_t) - 1) / sizeof(cpu_set_t));
  std::vector<cpu_set_t> set = none;
  if (::sched_getaffinity(0, bytes, set.data()) == 0) {
    for (std::size_t i = 0; i < kProcessorsMax; ++i) {
      if (CPU_ISSET_S(i, bytes, set.data())) processors_.push_back(i);
    }
  }
  if (processors_.empty()) processors_.push_back(0);
}

// A group's quota holds for all below it.
void Processors::read_quotas() {
  const std::string groups = read("/proc/self/cgroup").value_or("");
  const auto each_up = [](std::string path, auto look) {
    for (int i = 0; i < kGroupsDeepMax; ++i) {
      while (path.ends_with('/')) path.pop_back();
      look(path);
      if (path.empty()) return;
      path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
  };
  if (const auto unified = group_of(groups, "")) {
    each_up(*unified, [this](const std::string& group) {
      const std::string directory = "/sys/fs/cgroup" + group;
      std::istringstream limit(read(directory + "/cpu.max").value_or("max"));
      std::string quota;
      std::string period;
      limit >> quota >> period;
      const auto allowed = number(quota);
      const auto each = number(period);
      if (allowed && each && *each > 0) {
        note_quota({.processors = *allowed / *each, .usage_file = directory + "/cpu.stat"});
      }
    });
  }
  if (const auto own = group_of(groups, "cpu")) {
    each_up(*own, [this](const std::string& group) {
      const std::string directory = "/sys/fs/cgroup/cpu" + group;
      const auto allowed = number(read(directory + "/cpu.cfs_quota_us").value_or(""));
      const auto each = number(read(directory + "/cpu.cfs_period_us").value_or(""));
      if (allowed && *allowed > 0 && each && *each > 0) {
        note_quota({.processors = *allowed / *each, .usage_file = "/sys/fs/cgroup/cpuacct" + group + "/cpuacct.usage"});
      }
    });
  }
}

void Processors::note_quota(Quota quota) {
  if (!quota_ || quota.processors < quota_->processors) quota_ = std::move(quota);
}

std::size_t Processors::count() const {
  if (!quota_ || quota_->processors >= static_cast<double>(processors_.size())) return processors_.size();
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(quota_->processors)));
}

std::optional<Processors::Look> Processors::look(std::chrono::steady_clock::time_point now) const {
  const auto text = read("/proc/stat");
  if (!text) return std::nullopt;
  Look look{.at = now, .idle_seconds = 0, .used_seconds = {}};
  const double tick = 1.0 / static_cast<double>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  std::istringstream lines(*text);
  std::size_t found = 0;
  for (std::string line; std::getline(lines, line) && line.starts_with("cpu");) {
    std::istringstream words(line.substr(3));
    if (line[3] == ' ') continue;  // the sum
    std::size_t which = 0;
    std::uint64_t user = 0;
    std::uint64_t nice = 0;
    std::uint64_t system = 0;
    std::uint64_t idle = 0;
    std::uint64_t waits = 0;
    if (!(words >> which >> user >> nice >> system >> idle >> waits)) return std::nullopt;
    if (!std::ranges::binary_search(processors_, which)) continue;
    look.idle_seconds += static_cast<double>(idle + waits) * tick;
    ++found;
  }
  if (found == 0) return std::nullopt;
  if (quota_) {
    const auto usage = read(quota_->usage_file);
    if (!usage) return std::nullopt;
    const bool is_unified = usage->starts_with("usage_usec ");
    const auto used = number(is_unified ? usage->substr(11) : *usage);
    if (!used) return std::nullopt;
    look.used_seconds = *used * (is_unified ? 1e-6 : 1e-9);
  }
  return look;
}

std::size_t Processors::idle(std::chrono::steady_clock::time_point now) {
  const auto latest = look(now);
  const auto before = std::exchange(last_, latest);
  if (!latest || !before || latest->at <= before->at) return 0;
  const double seconds = std::chrono::duration<double>(latest->at - before->at).count();
  if (seconds > kLatelySeconds) return 0;
  double idle = (latest->idle_seconds - before->idle_seconds) / seconds;
  if (quota_) idle = std::min(idle, quota_->processors - (*latest->used_seconds - *before->used_seconds) / seconds);
  // What a control group leaves over of a part of a processor counts as one.
  const double enough = quota_ && quota_->processors < 1 ? kIdleEnough * quota_->processors : kIdleEnough;
  if (idle < enough) return 0;
  return std::min(count(), static_cast<std::size_t>(std::max(1.0, std::floor(idle + 1 - kIdleEnough))));
}

}  // namespace ogni::service
