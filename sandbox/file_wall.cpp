#include "sandbox/file_wall.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "base/system.h"

namespace ogni::sandbox {

namespace {

// The kernel's interface, younger than the headers of some hosts. Source: include/uapi/linux/landlock.h.
constexpr std::uint64_t kWriteFile = 1U << 1;
constexpr std::uint64_t kRemoveAndMake = 0x1ff0;          // directories and files of every kind
constexpr std::uint64_t kRefer = 1U << 13;                // moving between directories; since version 2
constexpr std::uint64_t kTruncate = 1U << 14;             // since version 3
constexpr std::uint64_t kScopeAbstractSockets = 1U << 0;  // both since version 6
constexpr std::uint64_t kScopeSignals = 1U << 1;
constexpr unsigned kAskVersion = 1U << 0;
constexpr int kPathBeneath = 1;

struct Ruleset {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scoped = 0;
};
struct __attribute__((packed)) PathBeneath {
  std::uint64_t allowed = 0;
  std::int32_t parent = -1;
};

Result<void> allow(int wall, const char* path, std::uint64_t access) {
  const auto place = open_file(path, O_PATH);
  if (!place && place.error().system_error() == ENOENT) return {};
  if (!place) return failure(place.error());
  const PathBeneath rule{.allowed = access, .parent = place->get()};
  if (::syscall(SYS_landlock_add_rule, wall, kPathBeneath, &rule, 0) != 0) {
    return failure(Error::from_errno("landlock_add_rule"));
  }
  return {};
}

}  // namespace

Result<Fd> make_file_wall() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskVersion);
  // Also where a filter of the container's forbids it: EPERM.
  if (version < 2) return Fd();  // version 1 would forbid moving files about in /tmp
  const std::uint64_t truncate = version >= 3 ? kTruncate : 0;
  Ruleset rules{.files = kWriteFile | kRemoveAndMake | kRefer | truncate};
  if (version >= 6) rules.scoped = kScopeAbstractSockets | kScopeSignals;
  // An older kernel knows the first field only.
  const std::size_t size = version >= 6 ? sizeof rules : sizeof rules.files;
  Fd wall(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, size, 0)));
  if (!wall) return failure(Error::from_errno("landlock_create_ruleset"));
  struct Place {
    const char* path;
    std::uint64_t access;
  };
  for (const auto& [path, access] : {Place{"/tmp", rules.files}, Place{"/dev", kWriteFile | truncate},
                                     Place{"/dev/shm", rules.files}, Place{"/proc", kWriteFile | truncate}}) {
    if (auto allowed = allow(wall.get(), path, access); !allowed) return failure(std::move(allowed).error());
  }
  return wall;
}

int enter_file_wall(int wall) { return ::syscall(SYS_landlock_restrict_self, wall, 0) == 0 ? 0 : errno; }

}  // namespace ogni::sandbox
