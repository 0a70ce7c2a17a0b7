// The daemon's end of the launcher: the small privileged program that makes execution environments.
//
// The launcher is started before the daemon has threads and before it gives up root. The daemon asks for environments
// over a socketpair; the launcher answers with descriptors. When the daemon's end closes, for whatever reason, the
// launcher ends every environment, removes what it made, and exits.
//
// Not thread-safe: one thread (the reactor) owns a Launcher. Nothing here blocks except start() and the destructor.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/environment.h"

namespace ogni::sandbox {

// How strongly an environment is walled in.
enum class Strength {
  kProcess,    // no isolation: a process group on the host; for development
  kNamespace,  // user, mount, pid, net, ipc and uts namespaces
};
std::string_view to_string(Strength strength);
std::optional<Strength> parse_strength(std::string_view text);  // "process", "namespace"

// What one environment is made of. Code is given as directories that are already unpacked and never change while the
// environment lives; the descriptors are O_PATH | O_DIRECTORY and are borrowed for the call.
struct EnvironmentSpec {
  std::uint64_t id = 0;  // the caller's, unique among living environments; never reused
  Strength strength = Strength::kNamespace;
  std::uint64_t memory_bytes = 0;  // limit of the memory cgroup, where there is one; 0 = none
  std::uint64_t tmp_bytes = 0;     // size of /tmp
  // Thousandths of a processor. Share: its weight beside other environments, 0 = average. Limit: never more, 0 = none.
  std::uint64_t processor_share = 0;
  std::uint64_t processor_limit = 0;
  bool egress = false;      // kNamespace only: a way out to other hosts (way_out.h)
  int root = -1;            // kNamespace only: the files of its root, which never change; -1 = the host's /usr
  int task = -1;            // becomes /var/task
  std::vector<int> layers;  // merged into /opt in this order: later ones win
  int runtime = -1;         // becomes /var/runtime; -1 = empty
  // kProcess only, where nothing is mounted: the host paths that stand for /var/task, /var/runtime and /opt (merged by
  // the caller), and a private directory for /tmp. Empty otherwise.
  std::string task_path, runtime_path, opt_path, tmp_path;
};

// Why environments are weaker where an ordinary user makes them.
inline constexpr const char* kOneUserForAll =
    "without root all environments run as one user of the host: only their namespaces keep them apart";

// What the host gave to a launcher that is ready.
struct LauncherMeans {
  std::string why_tmp_is_memory;  // empty: it is not
  ProcessorWay processor_way = ProcessorWay::kNice;
  std::vector<std::string> weaker;  // what environments have to do without beside that, a line each
  std::string why_no_way_out;       // empty: there is one, or nobody has tried
};

// How many environments will ask for a way out, as far as is known.
enum class WayOutDemand { kNone, kSome, kMost };

// The launcher's answer to one request. Or, with `lost`, to all: the launcher died and every environment with it, for the
// reason in `environment`; another one is being started, which serves what is asked from now on.
struct LauncherReply {
  std::uint64_t id = 0;
  Result<Environment> environment;
  bool lost = false;
};

class [[nodiscard]] Launcher {
 public:
  struct Options {
    Strength strength = Strength::kNamespace;
    // Names this service among others on the host: cgroups carry it, and leftovers of a killed predecessor with the
    // same tag are swept at start. [a-z0-9]{1,32}.
    std::string tag;
    // The launcher's program, already open (its path may lie below a closed home).
    int program = -1;
    // First host uid of the range that environments run under when the launcher is root (one uid each).
    uid_t first_uid = 0x4F470000;
    std::uint32_t uids = 65536;
    // kProcess as root: the uid and gid that functions run under (the daemon's). 0 = keep.
    uid_t process_uid = 0;
    gid_t process_gid = 0;
    // kNamespace: size of /dev/shm, which counts as memory. 0 = there is none, as on AWS.
    std::uint64_t shared_memory_bytes = 0;
    // kNamespace: how many environments without a function are kept ready.
    std::uint32_t blank_environments = 0;
    // Which of them have a way out. Except for kNone, an ordinary user's launcher opens one when it starts.
    WayOutDemand way_out = WayOutDemand::kNone;
    // Borrowed descriptor of a directory in which each /tmp takes up room, as a disk of its own. -1, or where this host
    // cannot do it: /tmp is in memory, and its size is added to the memory limit.
    int disk_directory = -1;
    // Borrowed descriptor of a file that is locked with flock(2). Keeper and launcher keep it open, so the lock lasts until
    // both have ended, however the daemon ends. -1 = none.
    int lock = -1;
  };

  // Starts the program and waits until an environment came up, or the launcher says why that fails. What may pass it has
  // tried again for some seconds. Errors, with the failing step: kNotFound when this host lastingly cannot do `strength`
  // (lasting.h); kUnavailable, kTimedOut, kIo for what may be
  // otherwise another time.
  [[nodiscard]] static Result<Launcher> start(const Options& options);

  Launcher(Launcher&&) noexcept = default;
  Launcher& operator=(Launcher&& other) noexcept;
  // Ends the launcher and with it every environment, and waits until all is removed (a few seconds at most).
  ~Launcher();

  // Readable when receive() has something to say.
  int descriptor() const { return socket_.get(); }
  // Of the launcher's keeper, whose child it is.
  pid_t pid() const { return pid_; }
  // Why /tmp is in memory; empty where it is not. May change with receive(), once a first disk could not be made.
  const std::string& why_tmp_is_memory() const { return means_.why_tmp_is_memory; }
  ProcessorWay processor_way() const { return means_.processor_way; }
  // What environments have to do without beside that, a line each; empty where nothing is.
  const std::vector<std::string>& weaker() const { return means_.weaker; }
  // Why there is no way out, where one was to be opened at the start; or empty.
  const std::string& why_no_way_out() const { return means_.why_no_way_out; }

  // Asks for an environment; the reply carries spec.id. Errors: kUnavailable when the launcher is gone; kLimit when
  // too many requests already wait (the socket is full; try again after the next reply).
  [[nodiscard]] Result<void> request(const EnvironmentSpec& spec);

  // The next reply, or nothing if none waits. Errors: kUnavailable when the launcher is gone.
  [[nodiscard]] Result<std::optional<LauncherReply>> receive();

 private:
  Launcher(Fd socket, Fd process, pid_t pid) : process_(std::move(process)), socket_(std::move(socket)), pid_(pid) {}
  Fd process_;  // its pidfd
  Fd socket_;
  pid_t pid_ = -1;
  LauncherMeans means_;
  std::string why_gone_;  // what the launcher has said since it was last ready
};

}  // namespace ogni::sandbox
