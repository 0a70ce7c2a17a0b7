#include "sandbox/blank_environments.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <csignal>
#include <utility>

#include "sandbox/user_namespace.h"

namespace ogni::sandbox {

namespace {

constexpr std::uint64_t kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
constexpr int kNiceness = 5;  // of functions, where nothing shares out processor time by memory
// The first to go when the host is out of memory.
constexpr const char* kFirstToGo = "1000";
constexpr int kRemovalTriesMax = 500;
constexpr auto kEndTimeMax = std::chrono::seconds(5);

// What a program has printed and the service has not read yet. Programs whose pipe is non-blocking (Node.js makes it so) keep
// what does not fit, and lose it when they exit.
constexpr int kLogPipeBytes = 1024 * 1024;

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
  // Only as root: what is beyond an ordinary user's share for all pipes makes every further pipe of that user small.
  if (::geteuid() == 0) (void)::fcntl(pipe.write.get(), F_SETPIPE_SZ, kLogPipeBytes);
  const bool is_own = uid == ::geteuid() && gid == ::getegid();  // an id that is not mapped cannot be given, even so
  if (!is_own && ::fchown(pipe.write.get(), uid, gid) != 0) return failure(Error::from_errno("chown log"));
  return pipe;
}

// A predecessor that was killed may have left groups that the kernel cannot remove yet.
std::string unique_prefix() {
  std::array<unsigned char, sizeof(std::uint32_t)> bytes{};
  fill_random(bytes);
  return std::to_string(std::bit_cast<std::uint32_t>(bytes)) + "-";
}

bool has_ended(const Fd& process) { return wait_readable(process.get(), std::chrono::milliseconds(0)); }

}  // namespace

BlankEnvironments::BlankEnvironments(const Options& options) : options_(options), cgroup_prefix_(unique_prefix()) {}

uid_t BlankEnvironments::uid_of(std::uint32_t slot) const {
  if (!options_.is_root) return ::geteuid();
  if (options_.strength == Strength::kNamespace) return options_.first_uid + slot;
  return options_.process.uid;
}

gid_t BlankEnvironments::gid_of(std::uint32_t slot) const {
  if (!options_.is_root) return ::getegid();
  if (options_.strength == Strength::kNamespace) return options_.first_uid + slot;
  return options_.process.gid;
}

Result<Child> BlankEnvironments::start_init(const InitDescriptors& descriptors, std::uint32_t slot, int cgroup) {
  if (options_.strength == Strength::kProcess) {
    auto init = fork_into(0, cgroup);
    if (init && init->pid == 0) run_init(descriptors, options_.strength, options_.process, filter_);
    return init;
  }
  // Without an order there is no clone that nobody knows.
  if (zygote_ && zygote_->has_ended()) zygote_.reset();
  if (!zygote_) {
    auto zygote = Zygote::start(filter_);
    if (!zygote) return failure(std::move(zygote).error().within("zygote"));
    zygote_ = std::move(*zygote);
  }
  auto init = zygote_->clone_init(kNamespaces, cgroup, options_.is_root ? std::optional(uid_of(slot)) : std::nullopt,
                                  descriptors);
  if (init) return init;
  zygote_lost_ = init.error().code() == ErrorCode::kUnavailable;
  return failure(no_namespaces(std::move(init).error(), "new namespaces"));
}

// What there is to be undone after an error is the caller's.
Result<void> BlankEnvironments::fill(BlankEnvironment& blank, int root) {
  const std::uint32_t slot = blank.slot;
  const bool walled = options_.strength == Strength::kNamespace;
  auto control = socket_pair();
  if (!control) return failure(std::move(control).error());
  if (::fcntl(control->first.get(), F_SETFL, O_NONBLOCK) != 0) return failure(Error::from_errno("fcntl control"));
  auto lifeline = socket_pair();
  if (!lifeline) return failure(std::move(lifeline).error());
  auto log = make_log(uid_of(slot), gid_of(slot));
  if (!log) return failure(std::move(log).error());
  if (cgroups_ != nullptr) {
    std::string name = cgroup_prefix_ + std::to_string(next_cgroup_++);
    auto cgroup = cgroups_->create(name, {});
    if (!cgroup) return failure(std::move(cgroup).error());
    blank.cgroup = std::move(*cgroup);
    blank.cgroup_name = std::move(name);
  }
  const EnvironmentCgroup& cgroup = blank.cgroup;
  const auto tasks = [&](std::size_t which) { return which < cgroup.tasks.size() ? cgroup.tasks[which].get() : -1; };
  auto init = start_init({.control = control->second.get(),
                          .lifeline = lifeline->second.get(),
                          .log = log->write.get(),
                          .tasks = {tasks(0), tasks(1)},
                          .program_tasks = cgroup.program_tasks ? cgroup.program_tasks.get() : -1,
                          .out_of_memory = cgroup.out_of_memory ? cgroup.out_of_memory.get() : -1,
                          .out_of_memory_is_event = cgroup.out_of_memory_is_event,
                          .memory_statistics = cgroup.memory_statistics ? cgroup.memory_statistics.get() : -1,
                          .niceness = cgroups_ != nullptr && cgroups_->no_processor().empty() ? 0 : kNiceness,
                          .processes = options_.processes},
                         slot, cgroup.clone_into ? cgroup.clone_into.get() : -1);
  if (!init) return failure(std::move(init).error());
  blank.init = std::move(*init);
  blank.control = std::move(control->first);
  blank.lifeline = std::move(lifeline->first);
  blank.log = std::move(log->read);
  if (walled) {
    if (auto mapped = map_environment_ids(blank.init.pid, uid_of(slot), gid_of(slot)); !mapped) return mapped;
    if (options_.is_root) {
      // With CAP_SYS_RESOURCE this is also what the function cannot go below.
      const std::string file = "/proc/" + std::to_string(blank.init.pid) + "/oom_score_adj";
      [[maybe_unused]] const auto set = write_control_file(AT_FDCWD, file, kFirstToGo);
    }
    auto tree = mounts_->take_root(root);
    if (!tree) return failure(std::move(tree).error());
    return send_begin(blank.lifeline.get(), *tree, options_.shared_memory_bytes);
  }
  return send_begin(blank.lifeline.get());
}

Result<BlankEnvironment> BlankEnvironments::make(int root) {
  BlankEnvironment blank;
  if (free_slots_.empty()) {
    blank.slot = next_slot_++;
  } else {
    blank.slot = free_slots_.back();
    free_slots_.pop_back();
  }
  if (auto filled = fill(blank, root); !filled) {
    discard(std::move(blank));
    return failure(std::move(filled).error());
  }
  return blank;
}

Result<void> BlankEnvironments::stock() {
  follow_host();
  auto blank = make();
  if (!blank) return failure(std::move(blank).error());
  kept_.push_back(std::move(*blank));
  return {};
}

Result<BlankEnvironment> BlankEnvironments::take(bool with_way_out) {
  follow_host();
  const auto fits = [&](const BlankEnvironment& blank) { return (blank.address != 0) == with_way_out; };
  for (auto found = std::ranges::find_if(kept_, fits); found != kept_.end();
       found = std::ranges::find_if(kept_, fits)) {
    BlankEnvironment blank = std::move(*found);
    kept_.erase(found);
    if (!has_ended(blank.init.process)) return blank;
    discard(std::move(blank));
  }
  return with_way_out ? take(false) : make();
}

std::size_t BlankEnvironments::count_with_way_out() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(kept_, [](const BlankEnvironment& blank) { return blank.address != 0; }));
}

void BlankEnvironments::discard(BlankEnvironment blank) {
  blank.lifeline.reset();  // ends it before it has begun
  if (blank.init.pid > 0) {
    if (!wait_readable(blank.init.process.get(), kEndTimeMax)) ::kill(blank.init.pid, SIGKILL);
    while (::waitpid(blank.init.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  release(blank.slot, std::move(blank.cgroup_name));
}

void BlankEnvironments::discard_all() {
  for (BlankEnvironment& blank : kept_) blank.lifeline.reset();  // all at once, then each
  for (BlankEnvironment& blank : std::exchange(kept_, {})) discard(std::move(blank));
}

void BlankEnvironments::follow_host() {
  if (mounts_ != nullptr && mounts_->follow_host()) discard_all();
}

void BlankEnvironments::release(std::uint32_t slot, std::string cgroup) {
  free_slots_.push_back(slot);
  if (!cgroup.empty() && !cgroups_->remove(cgroup)) removals_.push_back({.cgroup = std::move(cgroup)});
}

bool BlankEnvironments::remove_cgroups() {
  std::erase_if(removals_, [this](Removal& removal) {
    return cgroups_->remove(removal.cgroup) || ++removal.tries >= kRemovalTriesMax;
  });
  return !removals_.empty();
}

}  // namespace ogni::sandbox
