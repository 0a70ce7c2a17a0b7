// The floor of a cold start: one process in new namespaces with a root of its own, and an exec; nothing else. Or, to
// compare, any program that is started and waited for. AT_ONCE of them are on their way at the same time.
//
//   cold_floor RUNS AT_ONCE bare PROGRAM          PROGRAM is static
//   cold_floor RUNS AT_ONCE spawn COMMAND...      a word "ID" becomes a name that no other run has
//
// Prints the sorted middle and the 99th part as JSON, in microseconds, and how many were run a second.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/system.h"

namespace {

// Room for the root of the environment; what is there is covered in its own namespace only.
constexpr const char* kPlace = "/tmp";

bool build_root() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  if (::mount("root", kPlace, "tmpfs", 0, "mode=0755") != 0 || ::chdir(kPlace) != 0) return false;
  for (const char* name : {"usr", "proc", "tmp"}) {
    if (::mkdir(name, 0755) != 0) return false;
  }
  if (::mount("/usr", "usr", nullptr, MS_BIND | MS_REC, nullptr) != 0) return false;
  if (::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) return false;
  if (::mount("tmp", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, nullptr) != 0) return false;
  return ::syscall(SYS_pivot_root, ".", ".") == 0 && ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
}

bool map_ids(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid) + "/";
  const std::string uid = "0 " + std::to_string(::getuid()) + " 1";
  const std::string gid = "0 " + std::to_string(::getgid()) + " 1";
  return ogni::write_control_file(AT_FDCWD, process + "setgroups", "deny") &&
         ogni::write_control_file(AT_FDCWD, process + "uid_map", uid) &&
         ogni::write_control_file(AT_FDCWD, process + "gid_map", gid);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

bool run_bare(int program) {
  int begin[2];
  if (::pipe2(begin, O_CLOEXEC) != 0) return false;
  clone_args arguments{};
  arguments.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  arguments.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) {
    char byte = 0;
    std::array<char*, 2> words = {const_cast<char*>("program"), nullptr};
    std::array<char*, 1> variables = {nullptr};
    ::close(begin[1]);
    if (::read(begin[0], &byte, 1) == 1 && build_root()) {
      ::syscall(SYS_execveat, program, "", words.data(), variables.data(), AT_EMPTY_PATH);
    }
    ::_exit(127);
  }
  const bool mapped = pid > 0 && map_ids(static_cast<pid_t>(pid)) && ::write(begin[1], "b", 1) == 1;
  ::close(begin[0]);
  ::close(begin[1]);
  return pid > 0 && wait_for(static_cast<pid_t>(pid)) == 0 && mapped;
}

bool run_spawned(char** command) {
  static int runs = 0;
  std::string id = "run-" + std::to_string(::getpid()) + "-" + std::to_string(++runs);
  std::vector<char*> words;
  for (char** word = command; *word != nullptr; ++word) {
    words.push_back(*word == std::string_view("ID") ? id.data() : *word);
  }
  words.push_back(nullptr);
  pid_t pid = -1;
  return ::posix_spawnp(&pid, words[0], nullptr, nullptr, words.data(), environ) == 0 && wait_for(pid) == 0;
}

double microseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

// One of those that run at the same time: says how long each took.
int work(int runs, bool bare, char** words, int said) {
  const int program = bare ? ::open(words[0], O_RDONLY | O_CLOEXEC) : -1;
  for (int run = 0; run < runs; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    if (!(bare ? run_bare(program) : run_spawned(words))) {
      std::fprintf(stderr, "cold_floor: %s failed\n", words[0]);
      return 1;
    }
    const double time = microseconds_since(begin);
    if (::write(said, &time, sizeof time) != sizeof time) return 1;
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const auto number = [&](int place) {
    int value = 0;
    const std::string_view text = count > place ? words[place] : "";
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc() ? value : 0;
  };
  const int runs = number(1);
  const int at_once = number(2);
  const std::string_view kind = count > 4 ? words[3] : "";
  if (runs < 1 || runs > 100'000 || at_once < 1 || at_once > 64 || (kind != "bare" && kind != "spawn")) {
    std::fputs("cold_floor RUNS AT_ONCE bare PROGRAM | cold_floor RUNS AT_ONCE spawn COMMAND...\n", stderr);
    return 2;
  }
  int said[2];
  if (::pipe2(said, O_CLOEXEC) != 0) return 1;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<pid_t> workers;
  for (int worker = 0; worker < at_once; ++worker) {
    const int share = runs / at_once + (worker < runs % at_once ? 1 : 0);
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(work(share, kind == "bare", words + 4, said[1]));
    if (pid > 0) workers.push_back(pid);
  }
  ::close(said[1]);
  std::vector<double> times;
  for (double time = 0; ::read(said[0], &time, sizeof time) == sizeof time;) times.push_back(time);
  const double total = microseconds_since(begin);
  for (const pid_t pid : workers) wait_for(pid);
  if (times.size() != static_cast<std::size_t>(runs)) return 1;
  std::ranges::sort(times);
  std::printf("{\"p50_us\": %.1f, \"p99_us\": %.1f, \"rate\": %.1f}\n", times[times.size() / 2],
              times[times.size() * 99 / 100], runs / total * 1e6);
  return 0;
}
