#include "sandbox/environment_maker.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/system.h"
#include "sandbox/kernel.h"
#include "sandbox/process_tree.h"
#include "sandbox/user_namespace.h"

namespace ogni::sandbox {

namespace {

constexpr std::uint64_t kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
constexpr std::uint64_t kTmpBytesDefault = 512 << 20;  // AWS's
// Of each environment the launcher keeps two descriptors, and needs a few dozen to make one.
constexpr rlim_t kDescriptorsPerEnvironment = 2;
constexpr rlim_t kDescriptorsApart = 100;
constexpr int kNiceness = 5;  // of functions, where nothing shares out processor time by memory
constexpr auto kRemovalPause = std::chrono::milliseconds(10);
constexpr int kRemovalTriesMax = 500;
constexpr auto kEndTimeMax = std::chrono::seconds(5);

// How many environments the limit on descriptors, raised as far as it goes, lets us have.
std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= kDescriptorsApart) return 1;
  return std::min<std::size_t>(kEnvironmentsMax, (limit.rlim_cur - kDescriptorsApart) / kDescriptorsPerEnvironment);
}

struct Pipe {
  Fd read;
  Fd write;
};
// The environment's standard output. Its file belongs to the program's user, who may open /dev/stdout.
Result<Pipe> make_log(uid_t uid, gid_t gid) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return failure(Error::from_errno("pipe"));
  Pipe pipe{.read = Fd(fds[0]), .write = Fd(fds[1])};
  // Only the reader must never wait; the two ends are two open files.
  if (::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0) return failure(Error::from_errno("fcntl log"));
  if (::fchown(pipe.write.get(), uid, gid) != 0) return failure(Error::from_errno("chown log"));
  return pipe;
}

bool reap(const Fd& process) {
  siginfo_t information{};
  const int result = ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &information, WEXITED | WNOHANG);
  return result != 0 ? errno != EINTR : information.si_pid != 0;
}

}  // namespace

Result<EnvironmentMaker> EnvironmentMaker::create(const LauncherOptions& options) {
  Fd ended(::epoll_create1(EPOLL_CLOEXEC));
  if (!ended) return failure(Error::from_errno("epoll_create"));
  EnvironmentMaker maker(options, ::geteuid() == 0, std::move(ended));
  if (auto prepared = maker.prepare(); !prepared) return failure(std::move(prepared).error());
  return maker;
}

Result<void> EnvironmentMaker::prepare() {
  environments_max_ = raise_descriptor_limit();
  if (is_root_) environments_max_ = std::min<std::size_t>(environments_max_, options_.uids);
  // Before the mount namespaces, since from the lean one no cgroup can be seen.
  if (auto cgroups = EnvironmentCgroups::open(options_.tag); cgroups.any()) cgroups_.emplace(std::move(cgroups));
  if (options_.strength == Strength::kProcess) {
    // Orphans of an init that was killed come here instead of the host's init.
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return failure(Error::from_errno("subreaper"));
    return {};
  }
  if (!is_root_) {
    if (auto entered = enter_user_namespace(); !entered) return entered;
  }
  auto filter = compile_system_call_filter();
  if (!filter) return failure(std::move(filter).error());
  filter_ = std::move(*filter);
  auto mounts = MountNamespaces::create(options_.shared_memory_bytes != 0);
  if (!mounts) return failure(std::move(mounts).error());
  mounts_.emplace(std::move(*mounts));
  return {};
}

uid_t EnvironmentMaker::uid_of(std::uint32_t slot) const {
  if (!is_root_) return ::geteuid();
  if (options_.strength == Strength::kNamespace) return options_.first_uid + slot;
  return options_.process.uid;
}

gid_t EnvironmentMaker::gid_of(std::uint32_t slot) const {
  if (!is_root_) return ::getegid();
  if (options_.strength == Strength::kNamespace) return options_.first_uid + slot;
  return options_.process.gid;
}

Result<EnvironmentMaker::Made> EnvironmentMaker::make(const wire::MakeEnvironment& request,
                                                      std::vector<Fd> descriptors) {
  if (request.strength != options_.strength) {
    return failure(ErrorCode::kInvalidArgument, "this launcher makes environments of another strength");
  }
  const std::size_t codes = (request.has_task ? 1U : 0U) + (request.has_runtime ? 1U : 0U);
  if (descriptors.size() != codes + request.layers) {
    return failure(ErrorCode::kInvalidArgument, "descriptors are missing, or too many");
  }
  if (request.memory_bytes > kBytesMax || request.tmp_bytes > kBytesMax) {
    return failure(ErrorCode::kInvalidArgument, "more memory than there is");
  }
  if (living_.contains(request.id)) return failure(ErrorCode::kConflict, "an environment with this id lives");
  if (living_.size() >= environments_max_) return failure(ErrorCode::kLimit, "too many environments");

  Trees trees;
  if (mounts_) {
    CodeDirectories code;
    if (request.has_task) code.task = descriptors[0].get();
    if (request.has_runtime) code.runtime = descriptors[codes - 1].get();
    code.layers = std::span(descriptors).subspan(codes);
    auto taken = mounts_->take_trees(code);
    if (!taken) return failure(std::move(taken).error());
    trees = std::move(*taken);
  }
  return make_living(request, trees);
}

Result<EnvironmentMaker::Parts> EnvironmentMaker::make_parts(const wire::MakeEnvironment& request) {
  Parts parts;
  parts.slot = free_slots_.empty() ? next_slot_ : free_slots_.back();
  parts.tmp_bytes = request.tmp_bytes != 0 ? request.tmp_bytes : kTmpBytesDefault;
  auto control = socket_pair();
  if (!control) return failure(std::move(control).error());
  if (::fcntl(control->first.get(), F_SETFL, O_NONBLOCK) != 0) return failure(Error::from_errno("fcntl control"));
  parts.control = std::move(*control);
  auto lifeline = socket_pair();
  if (!lifeline) return failure(std::move(lifeline).error());
  parts.lifeline = std::move(*lifeline);
  auto log = make_log(uid_of(parts.slot), gid_of(parts.slot));
  if (!log) return failure(std::move(log).error());
  parts.log_read = std::move(log->read);
  parts.log_write = std::move(log->write);
  if (cgroups_) {
    // The files of /tmp are memory too, and are charged here.
    const std::uint64_t limit = request.memory_bytes != 0 ? request.memory_bytes + parts.tmp_bytes : 0;
    const std::string name = std::to_string(request.id);
    auto cgroup = cgroups_->create(name, {.memory_bytes = limit,
                                          .processor_share = request.processor_share,
                                          .processor_limit = request.processor_limit});
    if (!cgroup) return failure(std::move(cgroup).error());
    parts.cgroup = std::move(*cgroup);
    parts.cgroup_name = name;
  }
  return parts;
}

Result<Child> EnvironmentMaker::clone_init(const Parts& parts) const {
  const EnvironmentCgroup& cgroup = parts.cgroup;
  const auto tasks = [&](std::size_t which) { return which < cgroup.tasks.size() ? cgroup.tasks[which].get() : -1; };
  auto init = fork_into(mounts_ ? kNamespaces : 0, cgroup.clone_into ? cgroup.clone_into.get() : -1);
  if (init && init->pid == 0) {
    run_init({.control = parts.control.second.get(),
              .lifeline = parts.lifeline.second.get(),
              .log = parts.log_write.get(),
              .tasks = {tasks(0), tasks(1)},
              .program_tasks = cgroup.program_tasks ? cgroup.program_tasks.get() : -1,
              .niceness = cgroups_ && cgroups_->no_processor().empty() ? 0 : kNiceness},
             options_.strength, options_.process, filter_);
  }
  return init;
}

// The first of the two steps makes a blank environment, the second gives it its trees.
Result<void> EnvironmentMaker::bring_up(const Child& init, const Parts& parts, const Trees& trees) const {
  const int lifeline = parts.lifeline.first.get();
  if (mounts_) {
    if (auto mapped = map_environment_ids(init.pid, uid_of(parts.slot), gid_of(parts.slot)); !mapped) return mapped;
  }
  if (auto sent = send_begin(lifeline); !sent || !mounts_) return sent;
  return send_trees(lifeline, trees,
                    {.tmp_bytes = parts.tmp_bytes, .shared_memory_bytes = options_.shared_memory_bytes});
}

void EnvironmentMaker::remove_cgroup(const std::string& name) {
  if (!name.empty() && !cgroups_->remove(name)) removals_.push_back({.cgroup = name});
}

Result<EnvironmentMaker::Made> EnvironmentMaker::make_living(const wire::MakeEnvironment& request, const Trees& trees) {
  auto parts = make_parts(request);
  if (!parts) return failure(std::move(parts).error());
  auto init = clone_init(*parts);
  if (!init) {
    remove_cgroup(parts->cgroup_name);
    return failure(std::move(init).error());
  }
  auto up = bring_up(*init, *parts, trees);
  Fd process(::fcntl(init->process.get(), F_DUPFD_CLOEXEC, 0));
  if (up && !process) up = failure(Error::from_errno("duplicate the pidfd"));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = request.id}};
  if (up && ::epoll_ctl(ended_.get(), EPOLL_CTL_ADD, init->process.get(), &event) != 0) {
    up = failure(Error::from_errno("watch the init"));
  }
  if (!up) {
    parts->lifeline.first.reset();  // ends it before it has begun
    if (!wait_readable(init->process.get(), kEndTimeMax)) ::kill(init->pid, SIGKILL);
    ::waitpid(init->pid, nullptr, 0);
    remove_cgroup(parts->cgroup_name);
    return failure(std::move(up).error());
  }
  if (free_slots_.empty()) {
    ++next_slot_;
  } else {
    free_slots_.pop_back();
  }
  living_.emplace(request.id, Living{.pid = init->pid,
                                     .process = std::move(init->process),
                                     .lifeline = std::move(parts->lifeline.first),
                                     .slot = parts->slot,
                                     .cgroup = std::move(parts->cgroup_name)});
  return Made{.control = std::move(parts->control.first),
              .process = std::move(process),
              .log = std::move(parts->log_read),
              .cgroup = std::move(parts->cgroup)};
}

void EnvironmentMaker::bury(std::map<std::uint64_t, Living>::iterator ended) {
  Living& living = ended->second;
  // The daemon's pidfd is the same open file, so closing ours would not take it out.
  ::epoll_ctl(ended_.get(), EPOLL_CTL_DEL, living.process.get(), nullptr);
  free_slots_.push_back(living.slot);
  if (!living.cgroup.empty()) removals_.push_back({.cgroup = std::move(living.cgroup)});
  living_.erase(ended);
}

std::optional<std::chrono::milliseconds> EnvironmentMaker::clear_away() {
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(ended_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;  // a copy: epoll_event is packed
    const auto found = living_.find(id);
    if (found != living_.end() && reap(found->second.process)) bury(found);
  }
  std::erase_if(removals_, [this](Removal& removal) {
    return cgroups_->remove(removal.cgroup) || ++removal.tries >= kRemovalTriesMax;
  });
  orphans_ = options_.strength == Strength::kProcess && (count > 0 || orphans_) && kill_orphans();
  if (removals_.empty() && !orphans_) return std::nullopt;
  return kRemovalPause;
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
  for (auto& [id, living] : living_) living.lifeline.reset();
  const auto deadline = std::chrono::steady_clock::now() + kEndTimeMax;
  while (!living_.empty() && std::chrono::steady_clock::now() < deadline) {
    (void)wait_readable(ended_.get(), std::chrono::milliseconds(100));
    (void)clear_away();
  }
}

}  // namespace ogni::sandbox
