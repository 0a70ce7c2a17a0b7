// A directory of its own for one test or one short job; removed with everything in it at the end of the scope.
#pragma once

#include <filesystem>
#include <string>

#include "base/fd.h"

namespace ogni {

class TemporaryDirectory {
 public:
  // Below $TMPDIR, else /tmp. Throws std::system_error where that cannot be written.
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  const std::filesystem::path& path() const { return path_; }
  // O_PATH | O_DIRECTORY; lives as long as this object.
  int descriptor() const { return descriptor_.get(); }
  Fd open() const;

 private:
  std::filesystem::path path_;
  Fd descriptor_;
};

}  // namespace ogni
