// Finds the kernel's cgroup hierarchies and keeps one directory of this service in one of them.
//
// The directory lies below the launcher's own cgroup, or below the nearest one above it that already distributes what is
// wanted: no process of anyone else is moved, nobody's settings are changed.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

enum class CgroupVersion { kOne, kTwo };

// Whether a control group could not be used for lack of something that may be there a moment later (processes, memory,
// descriptors), and not because this host has no such group or does not let us.
[[nodiscard]] bool may_pass(const Error& error);

// The errors of these three are such that may_pass(); a hierarchy that is not there is no error.
// Directories of version 1 that belong to this process in the hierarchy of `controller`, as far as they can be seen.
[[nodiscard]] Result<std::vector<std::string>> find_version_one(std::string_view controller);
// Version 2: this process's own directory, if it can be seen, whatever controllers it has.
[[nodiscard]] Result<std::vector<std::string>> find_version_two();
// Version 2: directories that give their children `controller`, nearest first. Tries to make the own one do so.
[[nodiscard]] Result<std::vector<std::string>> find_version_two_with(const std::string& controller);

// The service's directory. Its destruction ends what runs there and removes it.
class [[nodiscard]] CgroupDirectory {
 public:
  // Sweeps what a predecessor with the same name left: thaws, kills and removes it, within a bounded time.
  [[nodiscard]] static Result<CgroupDirectory> open(const std::string& parent, const std::string& name);
  CgroupDirectory(CgroupDirectory&&) noexcept = default;
  CgroupDirectory& operator=(CgroupDirectory&&) = delete;  // would leave a directory behind
  ~CgroupDirectory();

  int fd() const { return directory_.get(); }
  [[nodiscard]] Result<Fd> create(const std::string& name);
  // With the cgroups below it. False while the kernel still counts a process in one of them.
  bool remove(const std::string& name);

 private:
  CgroupDirectory(Fd parent, std::string name, Fd directory)
      : parent_(std::move(parent)), name_(std::move(name)), directory_(std::move(directory)) {}

  Fd parent_;
  std::string name_;  // of directory_ in parent_
  Fd directory_;
};

}  // namespace ogni::sandbox
