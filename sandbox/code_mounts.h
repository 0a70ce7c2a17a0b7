// Directories of code as mounts that say nothing of where they come from.
//
// /proc/self/mountinfo tells, for each mount, which directory of its file system it shows: of a directory that is simply
// bound, its whole path on the host. So each directory, or stack of layers, is shown through an overlay (over an empty
// one), whose root is "/". An overlay takes a moment to make and longer to end, so the most recently used are kept; an
// environment gets a copy of the mount. Functions do not share one, even of the same layers, so that what one of them watches
// (inotify) or locks there is nothing of another's.
//
// A root file system of a function's own is the same with what every root has (skeleton.h) on top, so that whoever made it
// decides nothing of that: where it has a file or a link in place of a mount point, the directory hides it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/skeleton.h"

namespace ogni::sandbox {

class [[nodiscard]] CodeMounts {
 public:
  // In the mount namespace in which take() will be called, a private mirror of the host. Its /sys is covered.
  [[nodiscard]] static Result<CodeMounts> create(SharedMemory shared_memory);

  // A read-only tree of these directories (the daemon's descriptors, borrowed), the first one uppermost, for the function
  // whose code is in the directory `owner` (-1: nobody's). Where overlays
  // cannot be had, one directory is bound as it is, and several are an error.
  [[nodiscard]] Result<Fd> take(std::span<const int> directories, int owner);
  // A read-only root made of this directory (likewise). Errors besides: overlays cannot be had.
  [[nodiscard]] Result<Fd> take_root(int directory);

 private:
  enum class Kind { kCode, kRoot };
  using Key = std::vector<std::pair<dev_t, ino_t>>;
  struct Kept {
    Kind kind = Kind::kCode;
    Key key;
    std::vector<Fd> directories;  // so that no other directory can get their numbers
    std::uint64_t place = 0;      // its name
    std::uint64_t used = 0;
  };
  explicit CodeMounts(SharedMemory shared_memory) : shared_memory_(shared_memory) {}
  // The place of the mount, made if it is not there.
  Result<Kept*> find_or_keep(Kind kind, std::span<const int> directories, int owner);
  Result<Fd> copy(const Kept& kept) const;
  Result<void> keep(Kind kind, Key key, std::vector<Fd> directories);
  Result<void> have_skeleton();
  void drop(std::vector<Kept>::iterator kept);
  void drop_deleted();

  SharedMemory shared_memory_;
  bool has_skeleton_ = false;
  std::vector<Kept> kept_;
  std::uint64_t places_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace ogni::sandbox
