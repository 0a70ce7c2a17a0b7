// Notices that something has changed in the part of the host's /etc that environments have (etc_files.h).
#pragma once

#include <cstddef>
#include <filesystem>

#include "base/fd.h"

namespace ogni::sandbox {

// Not thread-safe.
class EtcWatch {
 public:
  // Watches from now on. The caller sees the host's files. Without inotify nothing is ever noticed.
  EtcWatch();

  // Whether there was a change since the last call. Costs one system call when there was none.
  bool take_change();
  // Watches directories that have come since, too. The caller sees the host's files.
  void extend();

 private:
  void watch_tree(const std::filesystem::directory_entry& entry, int depth);

  Fd inotify_;
  int etc_ = -1;  // the watch of /etc itself, of which most entries are none of an environment's
  std::size_t directories_ = 0;
};

}  // namespace ogni::sandbox
