#include "bootstrap/children.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/descriptor.h"
#include "bootstrap/spawn.h"

namespace ogni::bootstrap {
namespace {

// One that starts processes faster than they can be killed is left to the platform's limit of processes.
constexpr int kRoundsMax = 8;

bool contains(std::span<const pid_t> processes, pid_t process) {
  return std::find(processes.begin(), processes.end(), process) != processes.end();
}

void append_children(const std::string& task, std::vector<pid_t>& children) {
  const Descriptor file(::open((task + "/children").c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[4096];
  for (ssize_t count; file && (count = ::read(file.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    pid_t child = 0;
    const auto parsed = std::from_chars(at, end, child);
    if (parsed.ec == std::errc()) children.push_back(child);
    at = parsed.ptr + 1;
  }
}

// Of every thread of a process. Empty where the kernel does not say (CONFIG_PROC_CHILDREN).
std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> children;
  const std::string tasks = "/proc/" + std::to_string(process) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(tasks.c_str()), &::closedir);
  while (const dirent* entry = directory ? ::readdir(directory.get()) : nullptr) {
    if (entry->d_name[0] != '.') append_children(tasks + "/" + entry->d_name, children);
  }
  return children;
}

std::string start_time_of(pid_t process) { return process_field(process, 22); }

// False: there is nobody left to wait for.
bool reap(std::span<const pid_t> own) {
  siginfo_t info = {};
  while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
    if (info.si_pid == 0 || contains(own, info.si_pid)) return true;
    ::waitpid(info.si_pid, nullptr, 0);
    info = {};
  }
  return false;
}

}  // namespace

Children::Children(Policy policy) : policy_(policy) { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

void Children::spare_below(pid_t worker) {
  spared_.clear();
  if (policy_ == Policy::kKeep) return;
  std::vector<pid_t> parents = {worker};
  while (!parents.empty()) {
    const std::vector<pid_t> children = children_of(parents.back());
    parents.pop_back();
    for (const pid_t child : children) {
      spared_.push_back({child, start_time_of(child)});
      parents.push_back(child);
    }
  }
}

bool Children::is_spared(pid_t process) const {
  return std::any_of(spared_.begin(), spared_.end(), [&](const Spared& each) {
    return each.process == process && each.start_time == start_time_of(process);
  });
}

// Everything below `process` that is to be killed. Whether there was anything.
bool Children::kill_below(pid_t process, std::span<const pid_t> own, std::span<const pid_t> waiting) const {
  bool found = false;
  std::vector<pid_t> parents = {process};
  while (!parents.empty()) {
    const pid_t parent = parents.back();
    parents.pop_back();
    for (const pid_t child : children_of(parent)) {
      if (contains(waiting, child)) continue;
      parents.push_back(child);
      if (contains(own, child) || is_spared(child)) continue;
      ::kill(child, SIGKILL);
      found = true;
    }
  }
  return found;
}

void Children::clean(std::span<const pid_t> own, std::span<const pid_t> waiting) const {
  if (!reap(own) || policy_ == Policy::kKeep) return;
  for (int round = 0; round < kRoundsMax && kill_below(::getpid(), own, waiting); ++round) reap(own);
}

}  // namespace ogni::bootstrap
