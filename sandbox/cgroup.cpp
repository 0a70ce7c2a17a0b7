#include "sandbox/cgroup.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/system.h"

namespace ogni::sandbox {

namespace {

constexpr const char* kProgram = "program";
constexpr std::uint64_t kPeriodMicroseconds = 100'000;
constexpr std::uint64_t kQuotaLeast = 1'000;  // the kernel's, in microseconds
// Of version 1. Its name is that of TCP; it holds for every socket that the kernel accounts for: UDP, too.
constexpr const char* kSocketLimit = "memory.kmem.tcp.limit_in_bytes";
constexpr std::uint64_t kSocketShare = 8;  // of the environment's memory, in addition to it
constexpr std::uint64_t kSocketBytesMin = 16 << 20;

// In the first of `places` where a directory can be made; else `reason` says why not. Errors: those that may_pass().
Result<void> open_first(const Result<std::vector<std::string>>& places, const std::string& name, std::string& reason,
                        std::optional<CgroupDirectory>& into) {
  if (!places) return failure(places.error());
  for (const std::string& place : *places) {
    auto opened = CgroupDirectory::open(place, name);
    if (opened) {
      into.emplace(std::move(*opened));
      return {};
    }
    if (may_pass(opened.error())) return failure(std::move(opened).error());
    reason = opened.error().message();
  }
  return {};
}

bool has_file(int directory, const std::string& name) {
  struct stat status{};
  return ::fstatat(directory, name.c_str(), &status, 0) == 0;
}

// All environments together weigh as much beside the host's other work as a busy process on each processor.
std::uint64_t processors() {
  return static_cast<std::uint64_t>(std::clamp<long>(::sysconf(_SC_NPROCESSORS_ONLN), 1, 64));
}

Result<void> join_by_tasks(const Fd& directory, EnvironmentCgroup& cgroup) {
  auto tasks = open_at(directory.get(), "tasks", O_WRONLY);
  if (!tasks) return failure(std::move(tasks).error());
  cgroup.tasks.push_back(std::move(*tasks));
  return {};
}

// A kernel that cannot tell it kills one process at a time, and the others live on.
void watch_memory(EnvironmentCgroup& cgroup) {
  if (auto events = open_at(cgroup.memory.get(), "memory.events", O_RDONLY)) {
    cgroup.out_of_memory = std::move(*events);
    return;
  }
  const auto control = open_at(cgroup.memory.get(), "memory.oom_control", O_RDONLY);
  if (!control) return;
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return;
  const std::string words = std::to_string(event.get()) + " " + std::to_string(control->get());
  if (!write_control_file(cgroup.memory.get(), "cgroup.event_control", words)) return;
  cgroup.out_of_memory = std::move(event);
  cgroup.out_of_memory_is_event = true;
}

}  // namespace

Result<EnvironmentCgroups> EnvironmentCgroups::open(std::string_view tag) {
  EnvironmentCgroups cgroups;
  const std::string name = "ogni-" + std::string(tag);
  for (const auto step :
       {&EnvironmentCgroups::open_memory, &EnvironmentCgroups::open_processor, &EnvironmentCgroups::open_freezer}) {
    if (auto opened = (cgroups.*step)(name); !opened) return failure(std::move(opened).error());
  }
  return cgroups;
}

ProcessorWay EnvironmentCgroups::processor_way() const {
  if (processor_) return ProcessorWay::kShares;
  return unified_processor_ ? ProcessorWay::kWeight : ProcessorWay::kNice;
}

std::vector<std::string> EnvironmentCgroups::weaker() const {
  std::vector<std::string> lines;
  if (!no_memory_.empty()) lines.push_back(no_memory_ + kWithoutMemory);
  if (memory_ && !has_file(memory_->fd(), kSocketLimit)) lines.emplace_back(kWithoutSocketLimit);
  if (!no_processor_.empty()) lines.push_back(no_processor_ + kWithoutProcessor);
  if (!no_freezer_.empty()) lines.push_back(no_freezer_ + kWithoutFreezer);
  return lines;
}

Result<void> EnvironmentCgroups::open_memory(const std::string& name) {
  no_memory_ = "no cgroup hierarchy controls memory here";
  if (auto opened = open_first(find_version_one("memory"), name, no_memory_, memory_); !opened) return opened;
  if (memory_) {
    no_memory_.clear();
    return {};
  }
  auto places = find_version_two_with("memory");
  if (!places) return failure(std::move(places).error());
  for (const std::string& place : *places) {
    auto opened = CgroupDirectory::open(place, name);
    auto distributed = opened ? write_control_file(opened->fd(), "cgroup.subtree_control", "+memory")
                              : Result<void>(failure(opened.error()));
    if (!distributed) {
      if (may_pass(distributed.error())) return distributed;
      no_memory_ = distributed.error().message();
      continue;
    }
    unified_.emplace(std::move(*opened));
    unified_memory_ = true;
    no_memory_.clear();
    return {};
  }
  return {};
}

Result<void> EnvironmentCgroups::open_processor(const std::string& name) {
  no_processor_ = "no cgroup hierarchy controls processor time here";
  if (auto opened = open_first(find_version_one("cpu"), name, no_processor_, processor_); !opened) return opened;
  if (processor_) {
    no_processor_.clear();
    [[maybe_unused]] const auto weighed =
        write_control_file(processor_->fd(), "cpu.shares", std::to_string(1024 * processors()));
    return {};
  }
  if (!unified_) {
    if (auto opened = open_first(find_version_two_with("cpu"), name, no_processor_, unified_); !opened) return opened;
  }
  if (!unified_) return {};
  auto distributed = write_control_file(unified_->fd(), "cgroup.subtree_control", "+cpu");
  if (!distributed) {
    if (may_pass(distributed.error())) return distributed;
    no_processor_ = distributed.error().message();
    return {};
  }
  unified_processor_ = true;
  no_processor_.clear();
  [[maybe_unused]] const auto weighed = write_control_file(
      unified_->fd(), "cpu.weight", std::to_string(std::min<std::uint64_t>(100 * processors(), 10'000)));
  return {};
}

Result<void> EnvironmentCgroups::open_freezer(const std::string& name) {
  no_freezer_ = "no cgroup hierarchy of version 2, and no freezer of version 1, is mounted here";
  if (!unified_) {
    if (auto opened = open_first(find_version_two(), name, no_freezer_, unified_); !opened) return opened;
  }
  if (unified_ && has_file(unified_->fd(), "cgroup.freeze")) {
    unified_freezer_ = true;
    no_freezer_.clear();
    return {};
  }
  auto opened = open_first(find_version_one("freezer"), name, no_freezer_, freezer_);
  if (freezer_) no_freezer_.clear();
  return opened;
}

Result<EnvironmentCgroup> EnvironmentCgroups::create(const std::string& name, const CgroupLimits& limits) {
  auto cgroup = make(name);
  if (cgroup) {
    if (auto limited = limit(name, limits); !limited) cgroup = failure(std::move(limited).error());
  }
  if (!cgroup) remove(name);
  return cgroup;
}

Result<EnvironmentCgroup> EnvironmentCgroups::make(const std::string& name) {
  EnvironmentCgroup cgroup;
  if (unified_) {
    if (auto made = make_unified(name, cgroup); !made) return failure(std::move(made).error());
  }
  if (memory_) {
    auto directory = memory_->create(name);
    if (!directory) return failure(std::move(directory).error());
    cgroup.memory = std::move(*directory);
    if (auto joined = join_by_tasks(cgroup.memory, cgroup); !joined) return failure(std::move(joined).error());
  }
  if (cgroup.memory) {
    auto statistics = open_at(cgroup.memory.get(), "memory.stat", O_RDONLY);
    if (!statistics) return failure(std::move(statistics).error());
    cgroup.memory_statistics = std::move(*statistics);
    watch_memory(cgroup);
  }
  if (processor_) {
    auto directory = processor_->create(name);
    if (!directory) return failure(std::move(directory).error());
    if (auto joined = join_by_tasks(*directory, cgroup); !joined) return failure(std::move(joined).error());
    open_pace(directory->get(), cgroup);
  } else if (unified_processor_) {
    open_pace(cgroup.clone_into.get(), cgroup);
  }
  if (freezer_) {
    auto directory = freezer_->create(name);
    if (!directory) return failure(std::move(directory).error());
    auto tasks = open_at(directory->get(), "tasks", O_WRONLY);
    if (!tasks) return failure(std::move(tasks).error());
    auto state = open_at(directory->get(), "freezer.state", O_WRONLY);
    if (!state) return failure(std::move(state).error());
    cgroup.program_tasks = std::move(*tasks);
    cgroup.freezer = std::move(*state);
    cgroup.freeze_way = FreezeWay::kVersionOne;
  }
  return cgroup;
}

Result<void> EnvironmentCgroups::make_unified(const std::string& name, EnvironmentCgroup& cgroup) {
  auto directory = unified_->create(name);
  if (!directory) return failure(std::move(directory).error());
  cgroup.clone_into = std::move(*directory);
  if (unified_memory_) {
    cgroup.memory = Fd(::fcntl(cgroup.clone_into.get(), F_DUPFD_CLOEXEC, 0));
    if (!cgroup.memory) return failure(Error::from_errno("duplicate a cgroup"));
  }
  if (!unified_freezer_) return {};
  if (::mkdirat(cgroup.clone_into.get(), kProgram, 0755) != 0) return failure(Error::from_errno("mkdir cgroup"));
  auto program = open_at(cgroup.clone_into.get(), kProgram, O_RDONLY | O_DIRECTORY);
  if (!program) return failure(std::move(program).error());
  auto threaded = write_control_file(program->get(), "cgroup.type", "threaded");
  if (!threaded) return threaded;
  auto tasks = open_at(program->get(), "cgroup.threads", O_WRONLY);
  if (!tasks) return failure(std::move(tasks).error());
  auto state = open_at(program->get(), "cgroup.freeze", O_WRONLY);
  if (!state) return failure(std::move(state).error());
  cgroup.program_tasks = std::move(*tasks);
  cgroup.freezer = std::move(*state);
  cgroup.freeze_way = FreezeWay::kVersionTwo;
  return {};
}

Result<void> EnvironmentCgroups::limit(const std::string& name, const CgroupLimits& limits) {
  if (limits.memory_bytes != 0) {
    if (auto limited = limit_memory(name, limits.memory_bytes); !limited) return limited;
  }
  return limit_processor(name, limits);
}

Result<void> EnvironmentCgroups::limit_memory(const std::string& name, std::uint64_t bytes) {
  const int directory = memory_ ? memory_->fd() : unified_memory_ ? unified_->fd() : -1;
  if (directory < 0) return {};
  const std::string words = std::to_string(bytes);
  const std::string file = name + (memory_ ? "/memory.limit_in_bytes" : "/memory.max");
  if (auto limited = write_control_file(directory, file, words); !limited) return limited;
  if (memory_) {
    // Version 1 counts what sockets hold apart, and only where there is a limit of it.
    const std::string buffers = std::to_string(std::max(bytes / kSocketShare, kSocketBytesMin));
    auto limited = write_control_file(directory, name + "/" + kSocketLimit, buffers);
    if (!limited && limited.error().system_error() != ENOENT) return limited;
  }
  // AWS's environments have no swap. A kernel without swap accounting has no such file.
  [[maybe_unused]] const auto tried = memory_
                                          ? write_control_file(directory, name + "/memory.memsw.limit_in_bytes", words)
                                          : write_control_file(directory, name + "/memory.swap.max", "0");
  return {};
}

Result<void> EnvironmentCgroups::limit_processor(const std::string& name, const CgroupLimits& limits) {
  const std::uint64_t quota = std::max(limits.processor_limit * kPeriodMicroseconds / 1000, kQuotaLeast);
  const int directory = processor_ ? processor_->fd() : unified_processor_ ? unified_->fd() : -1;
  if (directory < 0) return {};
  if (const std::uint64_t weight = weight_of(limits.processor_share); weight != 0) {
    const std::string file = name + (processor_ ? "/cpu.shares" : "/cpu.weight");
    if (auto weighed = write_control_file(directory, file, std::to_string(weight)); !weighed) return weighed;
  }
  if (limits.processor_limit == 0) return {};
  if (!processor_) {
    return write_control_file(directory, name + "/cpu.max",
                              std::to_string(quota) + " " + std::to_string(kPeriodMicroseconds));
  }
  auto period = write_control_file(directory, name + "/cpu.cfs_period_us", std::to_string(kPeriodMicroseconds));
  if (!period) return period;
  return write_control_file(directory, name + "/cpu.cfs_quota_us", std::to_string(quota));
}

std::uint64_t EnvironmentCgroups::weight_of(std::uint64_t share) const {
  if (share == 0) return 0;
  if (processor_) return std::clamp<std::uint64_t>(share * 1024 / 1000, 2, 262'144);
  return unified_processor_ ? std::clamp<std::uint64_t>(share / 10, 1, 10'000) : 0;
}

// What cannot be had only means that the weight is all there is.
void EnvironmentCgroups::open_pace(int processor, EnvironmentCgroup& cgroup) const {
  auto time = cgroup.clone_into ? open_at(cgroup.clone_into.get(), "cpu.stat", O_RDONLY)
                                : open_at(processor, "cpuacct.usage", O_RDONLY);
  auto weight = open_at(processor, processor_ ? "cpu.shares" : "cpu.weight", O_WRONLY);
  auto idle = open_at(processor, "cpu.idle", O_WRONLY);
  if (!time || !weight || !idle) return;
  cgroup.processor_time = std::move(*time);
  cgroup.processor_weight = std::move(*weight);
  cgroup.processor_idle = std::move(*idle);
}

bool EnvironmentCgroups::remove(const std::string& name) {
  bool gone = true;
  for (auto* directory : {&memory_, &processor_, &freezer_, &unified_}) {
    if (*directory) gone = (*directory)->remove(name) && gone;
  }
  return gone;
}

}  // namespace ogni::sandbox
