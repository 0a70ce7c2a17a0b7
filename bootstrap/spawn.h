// Starts a program without a shell and without copying this process (vfork): the page tables of a bootstrap with a large
// event would cost more than the start of a small program.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <span>
#include <string>
#include <vector>

namespace ogni::bootstrap {

// `from` is this process's and at or above kOwnDescriptorMin, `to` is below.
struct Placement {
  int from;
  int to;
};

struct Spawn {
  const std::vector<std::string>& arguments;    // the first is the path of the program
  const std::vector<std::string>& environment;  // "NAME=value"
  std::span<const Placement> descriptors;       // beside these the child has stdin (empty), stdout and stderr
  const char* directory = nullptr;              // null: this process's
};

// The child leads a process group of its own, and is killed when this process ends. -1: errno says why, also where it
// is the program that could not be executed.
pid_t spawn(const Spawn& plan);

// Null-terminated, as execve(2) takes them; valid while `texts` is unchanged.
std::vector<char*> pointers(const std::vector<std::string>& texts);

// Of /proc/pid/stat, by its number in proc(5), 4 or more; empty where the process is gone.
std::string process_field(pid_t process, int number);

// pidfd_open(2); -1 where the kernel has none (before 5.3).
int open_process(pid_t process);

// Asks a process to end (SIGTERM), and waits for that no longer than `max`; it is still to be reaped. Nothing for -1.
// Where there is no descriptor of it, this does not wait.
void stop_process(pid_t process, int process_descriptor, std::chrono::milliseconds max);

// "exit status 1", "signal: killed", as the platform words it; empty for exit status 0.
std::string describe_end(int wait_status);

}  // namespace ogni::bootstrap
