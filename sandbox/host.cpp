#include "sandbox/host.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <functional>
#include <utility>

#include "base/system.h"
#include "sandbox/cgroup.h"
#include "sandbox/choose_strength.h"
#include "sandbox/environment_mounts.h"
#include "sandbox/kernel.h"
#include "sandbox/lasting.h"
#include "sandbox/mount_namespaces.h"
#include "sandbox/user_namespace.h"

namespace ogni::sandbox {

namespace {

constexpr auto kPatience = std::chrono::seconds(10);

// Runs `attempt` in a child with new namespaces, whose changes die with it. Its error's words come back.
Result<void> in_child(std::uint64_t namespaces, const std::function<Result<void>()>& attempt) {
  auto sockets = socket_pair();
  if (!sockets) return failure(std::move(sockets).error());
  auto child = fork_into(namespaces, -1);
  if (!child) return failure(std::move(child).error());
  if (child->pid == 0) {
    const auto result = attempt();
    [[maybe_unused]] const auto sent =
        send_message(sockets->second.get(), result ? "+" : "-" + result.error().message());
    ::_exit(0);
  }
  sockets->second.reset();
  auto said = wait_readable(sockets->first.get(), kPatience)
                  ? receive_message(sockets->first.get(), 4096)
                  : Result<Message>(failure(ErrorCode::kTimedOut, "the attempt hangs"));
  sockets->first.reset();
  if (!said) ::kill(child->pid, SIGKILL);
  ::waitpid(child->pid, nullptr, 0);
  if (!said) return failure(std::move(said).error());
  if (said->bytes.starts_with('+')) return {};
  return failure(ErrorCode::kUnavailable, said->bytes.substr(1));
}

bool is_root() { return ::geteuid() == 0; }

Result<void> own_mounts() {
  if (!is_root()) {
    if (auto entered = enter_user_namespace(); !entered) return entered;
  }
  auto mounts = MountNamespaces::create(SharedMemory::kNone);
  if (!mounts) return failure(std::move(mounts).error());
  return {};
}

Result<void> own_overlay() {
  if (!is_root()) {
    if (auto entered = enter_user_namespace(); !entered) return entered;
  }
  if (::unshare(CLONE_NEWNS) != 0) return failure(Error::from_errno("unshare mount namespace"));
  const std::array options = {FileSystemOption{"source", "probe"}, FileSystemOption{"lowerdir", "/usr/bin:/usr/lib"}};
  auto overlay = make_file_system("overlay", options, 0);
  if (!overlay) return failure(std::move(overlay).error());
  return {};
}

Finding find(std::string name, const Result<void>& attempt, std::string good_for, const std::string& hint = "") {
  return {.name = std::move(name),
          .available = attempt.has_value(),
          .explanation = attempt ? std::move(good_for) : attempt.error().message() + hint};
}

struct CgroupKind {
  const char* name;
  const std::string& (EnvironmentCgroups::*missing)() const;
  const char* good_for;
  const char* otherwise;
};
constexpr std::array kCgroupKinds = {
    CgroupKind{"memory cgroup", &EnvironmentCgroups::no_memory,
               "memory limits are enforced, and what is used is counted exactly", kWithoutMemory},
    CgroupKind{"processor cgroup", &EnvironmentCgroups::no_processor,
               "processor time is shared out in proportion to memory", kWithoutProcessor},
    CgroupKind{"freezer cgroup", &EnvironmentCgroups::no_freezer,
               "nothing of an idle function runs between invocations", kWithoutFreezer},
};

void add_cgroups(HostReport& report) {
  for (const CgroupKind& kind : kCgroupKinds) {
    const auto there = in_child(0, [&]() -> Result<void> {
      const auto cgroups = EnvironmentCgroups::open("probe" + std::to_string(::getpid()));
      if (!cgroups) return failure(cgroups.error());
      if (const std::string& missing = (*cgroups.*kind.missing)(); !missing.empty()) {
        return failure(ErrorCode::kNotFound, missing);
      }
      return {};
    });
    report.findings.push_back(find(kind.name, there, kind.good_for, kind.otherwise));
  }
}

// Without them /tmp is in memory.
Result<void> disks() {
  if (!is_root()) return failure(ErrorCode::kUnavailable, "only root can mount disks: /tmp counts as memory");
  for (const char* needed : {"/dev/loop-control", "/usr/sbin/mkfs.ext4"}) {
    if (::access(needed, F_OK) != 0) return failure(Error::from_errno(needed).within("/tmp counts as memory"));
  }
  return {};
}

Result<void> way_out(int program) {
  if (!is_root()) {
    Launcher::Options options;
    options.tag = "probe" + std::to_string(::getpid());
    options.program = program;
    options.way_out = WayOutDemand::kSome;
    auto launcher = Launcher::start(options);
    if (!launcher) return failure(std::move(launcher).error());
    if (launcher->why_no_way_out().empty()) return {};
    return failure(ErrorCode::kUnavailable, launcher->why_no_way_out());
  }
  for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
    if (::access(path, X_OK) == 0) return {};
  }
  return failure(ErrorCode::kNotFound, "nft is not there (apt install nftables)");
}

// A launcher and one environment, until it listens.
Result<void> try_environment(Strength strength, int program) {
  Launcher::Options options;
  options.strength = strength;
  options.tag = "probe" + std::to_string(::getpid());
  options.program = program;
  auto launcher = start_patiently(options);
  if (!launcher) return failure(std::move(launcher).error());
  if (auto asked = launcher->request({.id = 1, .strength = strength, .tmp_bytes = 1 << 20}); !asked) return asked;
  if (!wait_readable(launcher->descriptor(), kPatience)) return failure(ErrorCode::kTimedOut, "no answer");
  auto reply = launcher->receive();
  if (!reply) return failure(std::move(reply).error());
  if (!*reply) return failure(ErrorCode::kUnavailable, "no answer");
  if (!(*reply)->environment) return failure(std::move((*reply)->environment).error());
  Environment& environment = *(*reply)->environment;
  if (!wait_readable(environment.descriptor(), kPatience)) return failure(ErrorCode::kTimedOut, "no event");
  auto event = environment.receive();
  if (!event) return failure(std::move(event).error());
  if (!*event) return failure(ErrorCode::kUnavailable, "no event");
  if (auto* failed = std::get_if<Failed>(&**event)) return failure(error_of(*failed));
  return {};
}

}  // namespace

HostReport probe_host(int program) {
  HostReport report;
  utsname names{};
  if (::uname(&names) == 0) report.kernel = names.release;

  const auto nothing = [] { return Result<void>(); };
  report.findings.push_back(find("user namespaces", in_child(CLONE_NEWUSER, nothing),
                                 is_root() ? "each environment has a user of its own" : "environments without root",
                                 why_no_namespaces()));
  report.findings.push_back(
      find("network and process namespaces",
           in_child(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS, nothing),
           "an environment sees neither the host's network nor its processes"));
  report.findings.push_back(find("mount trees", in_child(0, own_mounts),
                                 "an environment sees only what is meant for it (open_tree, move_mount)"));
  report.findings.push_back(
      find("overlay file system", in_child(0, own_overlay), "several layers are merged without copying"));
  add_cgroups(report);

  report.findings.push_back(find("users of the host",
                                 is_root() ? Result<void>() : failure(ErrorCode::kUnavailable, kOneUserForAll),
                                 "each environment has one of its own"));

  report.findings.push_back(find("disks for /tmp", disks(), "what a function writes to /tmp is not counted as memory"));

  report.findings.push_back(find("way out", way_out(program),
                                 "functions may reach other hosts (ogni serve --network tagged)",
                                 ": functions reach their own loopback only"));

  const auto strongest = try_environment(Strength::kNamespace, program);
  report.findings.push_back(find("isolation \"namespace\"", strongest, "an environment was made and answered"));
  if (strongest) {
    report.strongest = Strength::kNamespace;
  } else {
    report.may_pass = !is_lasting(strongest.error());
    report.why_not_more = "namespace: " + strongest.error().message();
    // Some settings let a namespace be made, and make it useless.
    const std::string hint = why_no_namespaces();
    if (report.why_not_more.find(hint) == std::string::npos) report.why_not_more += hint;
  }
  return report;
}

}  // namespace ogni::sandbox
