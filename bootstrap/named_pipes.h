// Two pipes that another process of the same user can open by name.
#pragma once

#include <string>

#include "bootstrap/descriptor.h"

namespace ogni::bootstrap {

// Leaving scope takes the names away; the pipes last as long as their descriptors.
class NamedPipes {
 public:
  NamedPipes() = default;
  ~NamedPipes();
  NamedPipes(const NamedPipes&) = delete;
  NamedPipes& operator=(const NamedPipes&) = delete;

  // In a new directory below TMPDIR, else /tmp. All ends are there afterwards, and none of them blocks; or errno says why not.
  bool open();

  Pipe requests;
  Pipe replies;
  std::string requests_path;
  std::string replies_path;

 private:
  std::string directory_;
};

}  // namespace ogni::bootstrap
