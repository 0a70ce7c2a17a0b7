// Memory cgroups: one per environment below a directory of this service, where this host lets us.
//
// Version 1 and version 2 of the kernel's interface. The service's directory lies below the launcher's own cgroup, or
// below the nearest one above it that already distributes memory to its children: no process of anyone else is moved,
// nobody's settings are changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

enum class CgroupVersion { kOne, kTwo };

// Where memory cgroups can be made: a directory that exists.
struct MemoryHierarchy {
  CgroupVersion version = CgroupVersion::kTwo;
  std::string path;
};
// The directories to try, best first; empty when this host controls no memory by cgroups that we can see.
std::vector<MemoryHierarchy> find_memory_hierarchies();

struct MemoryCgroup {
  Fd directory;
  Fd statistics;  // memory.stat
  // Version 1: a process that writes "0" into it moves itself here, without the pause that moving another takes.
  // Version 2 has none: processes are cloned into `directory`.
  Fd tasks;
};

class [[nodiscard]] MemoryCgroups {
 public:
  // Sweeps what a predecessor with the same tag left: kills what runs there and removes it.
  // Errors: kNotFound when there is no memory controller to be had, with the reason.
  [[nodiscard]] static Result<MemoryCgroups> open(std::string_view tag);
  MemoryCgroups(MemoryCgroups&&) noexcept = default;
  MemoryCgroups& operator=(MemoryCgroups&&) = delete;  // would leave a directory behind
  ~MemoryCgroups();

  // `memory_bytes` 0 = no limit.
  [[nodiscard]] Result<MemoryCgroup> create(const std::string& name, std::uint64_t memory_bytes);
  // False while the kernel still counts a process in it.
  bool remove(const std::string& name);

 private:
  MemoryCgroups(CgroupVersion version, Fd parent, std::string name, Fd directory)
      : version_(version), parent_(std::move(parent)), name_(std::move(name)), directory_(std::move(directory)) {}
  Result<MemoryCgroup> configure(const std::string& name, std::uint64_t memory_bytes);

  CgroupVersion version_;
  Fd parent_;
  std::string name_;  // of directory_ in parent_
  Fd directory_;
};

}  // namespace ogni::sandbox
