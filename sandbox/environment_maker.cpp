#include "sandbox/environment_maker.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/system.h"
#include "sandbox/egress.h"
#include "sandbox/gateway.h"
#include "sandbox/kernel.h"
#include "sandbox/lasting.h"
#include "sandbox/process_limit.h"
#include "sandbox/process_tree.h"
#include "sandbox/user_namespace.h"

namespace ogni::sandbox {

namespace {

constexpr std::uint64_t kTmpBytesDefault = 512 << 20;  // AWS's
// Of each environment the launcher keeps a pidfd, a lifeline and three descriptors of its disk, and needs a few dozen to
// make one, and a dozen for each blank one.
constexpr rlim_t kDescriptorsPerEnvironment = 5;
constexpr rlim_t kDescriptorsApart = 400;
// With fewer, steps would fail here and there.
constexpr rlim_t kDescriptorsLeast = 64;
constexpr std::uint32_t kBlanksMax = 16;
constexpr auto kRemovalPause = std::chrono::milliseconds(10);
constexpr auto kEndTimeMax = std::chrono::seconds(5);
// Clean disks that are kept for the next environments: of the usual size, and of any other.
constexpr std::size_t kDisksKept = 32;
constexpr std::size_t kOtherDisksKept = 4;
// In the epoll, beside the environments' ids.
constexpr std::uint64_t kDisksKey = UINT64_MAX;
constexpr std::uint64_t kWayOutKey = UINT64_MAX - 2;

// How many environments the limit on descriptors, raised as far as it goes, lets us have. 0: not one.
std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < kDescriptorsLeast) return 0;
  if (limit.rlim_cur <= kDescriptorsApart) return 1;
  return std::min<std::size_t>(kEnvironmentsMax, (limit.rlim_cur - kDescriptorsApart) / kDescriptorsPerEnvironment);
}

bool reap(const Fd& process) {
  siginfo_t information{};
  const int result = ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &information, WEXITED | WNOHANG);
  return result != 0 ? errno != EINTR : information.si_pid != 0;
}

// Descriptors of a request that come before those of its layers.
std::size_t places_before_layers(const wire::MakeEnvironment& request) {
  return (request.has_root ? 1U : 0U) + (request.has_task ? 1U : 0U) + (request.has_runtime ? 1U : 0U);
}

std::uint64_t tmp_bytes_of(const wire::MakeEnvironment& request) {
  return request.tmp_bytes != 0 ? request.tmp_bytes : kTmpBytesDefault;
}

// Why the init ended, if that is what went wrong.
Error last_words(const BlankEnvironment& blank, Error error) {
  if (error.code() != ErrorCode::kUnavailable) return error;
  while (auto message = receive_message(blank.control.get(), wire::kRequestBytesMax)) {
    auto event = wire::decode_event(*message);
    if (event && std::holds_alternative<Failed>(*event)) {
      return error_of(std::get<Failed>(*event));
    }
  }
  return error;
}

std::size_t disks_kept(std::uint64_t bytes) { return bytes == kTmpBytesDefault ? kDisksKept : kOtherDisksKept; }

}  // namespace

EnvironmentMaker::EnvironmentMaker(const LauncherOptions& options, Fd happened)
    : options_(options),
      happened_(std::move(happened)),
      blanks_({.strength = options.strength,
               .is_root = ::geteuid() == 0,
               .first_uid = options.first_uid,
               .process = options.process,
               .shared_memory_bytes = options.shared_memory_bytes,
               .processes = process_limit()}) {
  options_.blank_environments = std::min(options_.blank_environments, kBlanksMax);
}

Result<EnvironmentMaker> EnvironmentMaker::create(const LauncherOptions& options, Fd disk_directory) {
  Fd happened(::epoll_create1(EPOLL_CLOEXEC));
  if (!happened) return failure(Error::from_errno("epoll_create"));
  EnvironmentMaker maker(options, std::move(happened));
  if (auto prepared = maker.prepare(std::move(disk_directory)); !prepared) return failure(std::move(prepared).error());
  return maker;
}

Result<void> EnvironmentMaker::prepare(Fd disk_directory) {
  const bool is_root = ::geteuid() == 0;
  environments_max_ = raise_descriptor_limit();
  if (environments_max_ == 0) {
    return failure(ErrorCode::kLimit, "the limit of open files (RLIMIT_NOFILE) is below " +
                                          std::to_string(kDescriptorsLeast) +
                                          ", which no environment can be made with");
  }
  if (is_root) environments_max_ = std::min<std::size_t>(environments_max_, options_.uids);
  // Before the mount namespaces, since from the lean one no cgroup can be seen.
  auto cgroups = EnvironmentCgroups::open(options_.tag);
  if (!cgroups) {
    // Not lasting, whatever the errno.
    return failure(ErrorCode::kUnavailable, std::move(cgroups).error().within("control groups").message());
  }
  means_.processor_way = cgroups->processor_way();
  means_.weaker = cgroups->weaker();
  if (!is_root && options_.strength == Strength::kNamespace) {
    means_.weaker.emplace_back(kOneUserForAll);
  }
  if (cgroups->any()) {
    cgroups_ = std::make_unique<EnvironmentCgroups>(std::move(*cgroups));
    blanks_.use(*cgroups_);
  }
  if (options_.strength == Strength::kProcess) {
    // Orphans of an init that was killed come here instead of the host's init.
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return failure(Error::from_errno("subreaper"));
    return {};
  }
  if (!is_root) {
    if (auto entered = enter_user_namespace(); !entered) return entered;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // taking ids had cleared it
  }
  auto filter = compile_system_call_filter();
  if (!filter) return failure(std::move(filter).error());
  blanks_.use(std::move(*filter));
  auto mounts = MountNamespaces::create(options_.shared_memory_bytes != 0 ? SharedMemory::kPlace : SharedMemory::kNone);
  if (!mounts) return failure(std::move(mounts).error());
  mounts_ = std::make_unique<MountNamespaces>(std::move(*mounts));
  blanks_.use(*mounts_);
  if (!mounts_->why_shared().empty()) means_.weaker.push_back(mounts_->why_shared() + kSharedInodes);
  if (is_root) {
    Egress::sweep(options_.tag, mounts_->host());
  } else if (options_.way_out != WayOutDemand::kNone) {
    // It changes nothing of the host, so what may be missing can be told at once.
    if (auto opened = open_way_out(); !opened) means_.why_no_way_out = opened.error().message();
  }

  if (!is_root) {
    means_.why_tmp_is_memory = "only root can mount disks";
  } else if (!disk_directory) {
    means_.why_tmp_is_memory = "no directory for disks was given";
  } else if (auto disks = TmpDisks::create(std::move(disk_directory), mounts_->host(), kTmpBytesDefault)) {
    disks_.emplace(std::move(*disks));
    epoll_event event{.events = EPOLLIN, .data = {.u64 = kDisksKey}};
    if (::epoll_ctl(happened_.get(), EPOLL_CTL_ADD, disks_->descriptor(), &event) != 0) {
      return failure(Error::from_errno("watch the disks"));
    }
  } else {
    means_.why_tmp_is_memory = disks.error().message();
  }
  return {};
}

Result<void> EnvironmentMaker::check(const wire::MakeEnvironment& request, std::size_t descriptors) const {
  if (request.strength != options_.strength) {
    return failure(ErrorCode::kInvalidArgument, "this launcher makes environments of another strength");
  }
  if (descriptors != places_before_layers(request) + request.layers) {
    return failure(ErrorCode::kInvalidArgument, "descriptors are missing, or too many");
  }
  if (request.has_root && request.strength == Strength::kProcess) {
    return failure(ErrorCode::kInvalidArgument, "a process of the host has the host's files");
  }
  if (request.egress && options_.way_out == WayOutDemand::kNone) {
    return failure(ErrorCode::kInvalidArgument, "this launcher was told to give no way out");
  }
  if (request.memory_bytes > kBytesMax || request.tmp_bytes > kBytesMax) {
    return failure(ErrorCode::kInvalidArgument, "more memory than there is");
  }
  const auto same = [&](const Waiting& waiting) { return waiting.request.id == request.id; };
  if (request.id == kDisksKey || request.id == kWayOutKey || living_.contains(request.id) ||
      std::ranges::any_of(waiting_, same)) {
    return failure(ErrorCode::kConflict, "an environment with this id lives");
  }
  if (living_.size() + waiting_.size() >= environments_max_) {
    return failure(ErrorCode::kLimit, "too many environments");
  }
  return {};
}

void EnvironmentMaker::ask(const wire::MakeEnvironment& request, std::vector<Fd> descriptors) {
  if (auto checked = check(request, descriptors.size()); !checked) {
    answers_.push_back({.id = request.id, .made = failure(std::move(checked).error())});
    return;
  }
  waiting_.push_back({.request = request, .descriptors = std::move(descriptors)});
  serve_waiting();
}

void EnvironmentMaker::serve_waiting() {
  std::map<std::uint64_t, std::size_t> wanted;  // disks, by size
  for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
    std::optional<TmpDisk> disk;
    const bool wants_disk = disks_ && waiting->request.id != kTrialId;
    if (wants_disk) {
      const std::uint64_t bytes = tmp_bytes_of(waiting->request);
      disk = disks_->take(bytes, ++wanted[bytes]);
      if (!disk && disks_->is_busy()) {
        ++waiting;
        continue;
      }
      disk_bytes_ = bytes;
    }
    const Waiting asked = std::move(*waiting);
    waiting = waiting_.erase(waiting);
    if (wants_disk && !disk) {
      answers_.push_back({.id = asked.request.id, .made = failure(disks_->why_none())});
      continue;
    }
    answers_.push_back({.id = asked.request.id, .made = make(asked, std::move(disk))});
  }
}

void EnvironmentMaker::fail_waiting(std::uint64_t tmp_bytes, const Error& error) {
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (tmp_bytes_of(waiting.request) != tmp_bytes) return false;
    answers_.push_back({.id = waiting.request.id, .made = failure(error)});
    return true;
  });
}

Result<void> EnvironmentMaker::furnish(BlankEnvironment& blank, const Waiting& asked,
                                       const std::optional<TmpDisk>& disk) {
  const wire::MakeEnvironment& request = asked.request;
  if (cgroups_) {
    // Files of a /tmp in memory are charged here, too.
    const std::uint64_t apart = disk ? 0 : tmp_bytes_of(request);
    auto limited = cgroups_->limit(blank.cgroup_name,
                                   {.memory_bytes = request.memory_bytes != 0 ? request.memory_bytes + apart : 0,
                                    .processor_share = request.processor_share,
                                    .processor_limit = request.processor_limit});
    if (!limited) return limited;
  }
  if (!mounts_) return {};
  CodeDirectories code;
  std::size_t next = request.has_root ? 1 : 0;
  if (request.has_task) code.task = asked.descriptors[next++].get();
  if (request.has_runtime) code.runtime = asked.descriptors[next++].get();
  code.layers = std::span(asked.descriptors).subspan(next);
  code.name_servers = request.egress;
  if (request.egress) {
    way_out_wanted_ = true;
    if (auto connected = connect(blank); !connected) return failure(std::move(connected).error().within("network"));
  }
  auto trees = mounts_->take_trees(code);
  if (!trees) return failure(std::move(trees).error());
  if (disk) {
    auto tmp = mount_tmp_disk(*disk);
    if (!tmp) return failure(std::move(tmp).error().within("/tmp"));
    trees->tmp = std::move(*tmp);
  }
  return send_trees(blank.lifeline.get(), *trees, tmp_bytes_of(request), blank.address);
}

Result<void> EnvironmentMaker::open_way_out() {
  if (way_out_) return {};
  auto opened = is_root_ ? Egress::create(options_.tag, mounts_->host()) : Gateway::create(mounts_->host());
  if (!opened) return failure(std::move(opened).error());
  if ((*opened)->descriptor() >= 0) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = kWayOutKey}};
    if (::epoll_ctl(happened_.get(), EPOLL_CTL_ADD, (*opened)->descriptor(), &event) != 0) {
      return failure(Error::from_errno("watch the way out"));
    }
  }
  way_out_ = std::move(*opened);
  return {};
}

Result<void> EnvironmentMaker::connect(BlankEnvironment& blank) {
  if (blank.address != 0) return {};
  if (auto opened = open_way_out(); !opened) return opened;
  auto address = way_out_->connect(blank.init.pid);
  if (!address) return failure(std::move(address).error());
  blank.address = *address;
  way_out_fails_ = false;
  return {};
}

Result<EnvironmentMaker::Made> EnvironmentMaker::make(const Waiting& asked, std::optional<TmpDisk> disk) {
  auto blank =
      asked.request.has_root ? blanks_.make(asked.descriptors.front().get()) : blanks_.take(asked.request.egress);
  auto furnished = blank ? furnish(*blank, asked, disk) : failure(blank.error());
  if (!furnished) {
    Error error = blank ? last_words(*blank, std::move(furnished).error()) : std::move(furnished).error();
    if (blank) blanks_.discard(std::move(*blank));
    if (disk) disks_->give_back(std::move(*disk), 0);
    return failure(std::move(error));
  }
  blanks_fail_ = false;
  return let_live(asked.request, std::move(*blank), std::move(disk));
}

Result<EnvironmentMaker::Made> EnvironmentMaker::let_live(const wire::MakeEnvironment& request, BlankEnvironment blank,
                                                          std::optional<TmpDisk> disk) {
  const std::uint64_t id = request.id;
  Fd process(::fcntl(blank.init.process.get(), F_DUPFD_CLOEXEC, 0));
  const char* step = process ? nullptr : "duplicate the pidfd";
  epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
  if (step == nullptr && ::epoll_ctl(happened_.get(), EPOLL_CTL_ADD, blank.init.process.get(), &event) != 0) {
    step = "watch the init";
  }
  if (step != nullptr) {
    const Error error = Error::from_errno(step);
    blanks_.discard(std::move(blank));
    if (disk) disks_->give_back(std::move(*disk), 0);
    return failure(error);
  }
  living_.emplace(id, Living{.pid = blank.init.pid,
                             .process = std::move(blank.init.process),
                             .lifeline = std::move(blank.lifeline),
                             .slot = blank.slot,
                             .cgroup = std::move(blank.cgroup_name),
                             .disk = std::move(disk)});
  Made made{.control = std::move(blank.control),
            .process = std::move(process),
            .log = std::move(blank.log),
            .cgroup = std::move(blank.cgroup),
            .processor_weight = 0};
  if (made.cgroup.processor_idle) made.processor_weight = cgroups_->weight_of(request.processor_share);
  return made;
}

void EnvironmentMaker::bury(std::map<std::uint64_t, Living>::iterator ended) {
  Living& living = ended->second;
  // The daemon's pidfd is the same open file, so closing ours would not take it out.
  ::epoll_ctl(happened_.get(), EPOLL_CTL_DEL, living.process.get(), nullptr);
  if (living.disk) {
    const std::size_t keep = disks_kept(living.disk->bytes);
    disks_->give_back(std::move(*living.disk), keep);
  }
  blanks_.release(living.slot, std::move(living.cgroup));
  living_.erase(ended);
}

std::optional<std::chrono::milliseconds> EnvironmentMaker::clear_away() {
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(happened_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;  // a copy: epoll_event is packed
    if (id == kDisksKey) {
      for (const auto& failed : disks_->collect()) {
        if (disks_->is_proven()) {
          fail_waiting(failed.bytes, failed.error);
        } else {
          means_.why_tmp_is_memory = failed.error.message();
        }
      }
      if (!means_.why_tmp_is_memory.empty()) disks_.reset();
      continue;
    }
    if (id == kWayOutKey) {
      way_out_->attend();
      continue;
    }
    const auto found = living_.find(id);
    if (found != living_.end() && reap(found->second.process)) bury(found);
  }
  if (!waiting_.empty()) serve_waiting();
  const bool cgroups_left = blanks_.remove_cgroups();
  orphans_ = options_.strength == Strength::kProcess && (count > 0 || orphans_) && kill_orphans();
  if (!cgroups_left && !orphans_) return std::nullopt;
  return kRemovalPause;
}

bool EnvironmentMaker::stock() {
  if (options_.blank_environments == 0 || !mounts_) return false;
  if (disks_) {
    disks_->stock(kTmpBytesDefault, options_.blank_environments);
    if (disk_bytes_ != 0) disks_->stock(disk_bytes_, 1);
  }
  if (blanks_fail_ || living_.size() + blanks_.count() >= environments_max_) return false;
  if (blanks_.count_with_way_out() < blanks_with_way_out()) return stock_with_way_out();
  if (blanks_.count() >= options_.blank_environments) return false;
  blanks_fail_ = !blanks_.stock();
  return !blanks_fail_;
}

// The others serve functions that stay in.
std::size_t EnvironmentMaker::blanks_with_way_out() const {
  const std::size_t all = options_.blank_environments;
  if (way_out_fails_) return 0;
  switch (options_.way_out) {
    case WayOutDemand::kNone:
      return 0;
    case WayOutDemand::kSome:
      return way_out_wanted_ ? (all + 1) / 2 : 0;
    case WayOutDemand::kMost:
      return all - all / 4;
  }
  return 0;
}

// One that is there already gets it, so there are never more than the setting says.
bool EnvironmentMaker::stock_with_way_out() {
  auto blank = blanks_.take(false);
  blanks_fail_ = !blank;
  if (blanks_fail_) return false;
  way_out_fails_ = !connect(*blank);
  if (way_out_fails_) {
    blanks_.discard(std::move(*blank));  // it may have got half of what it needs
  } else {
    blanks_.keep(std::move(*blank));
  }
  return true;
}

bool EnvironmentMaker::kill_orphans() {
  bool any = false;
  for (const pid_t child : find_children()) {
    if (std::ranges::any_of(living_, [&](const auto& one) { return one.second.pid == child; })) continue;
    ::kill(child, SIGKILL);
    any = any || ::waitpid(child, nullptr, WNOHANG | __WALL) != child;
  }
  return any;
}

void EnvironmentMaker::end_all() {
  waiting_.clear();
  for (auto& [id, living] : living_) living.lifeline.reset();
  blanks_.discard_all();
  const auto deadline = std::chrono::steady_clock::now() + kEndTimeMax;
  while (!living_.empty() && std::chrono::steady_clock::now() < deadline) {
    (void)wait_readable(happened_.get(), std::chrono::milliseconds(100));
    (void)clear_away();
  }
}

}  // namespace ogni::sandbox
