// What the root of every environment on the host's files is made of.
//
// It is made ready when the launcher starts, and anew when the host's /etc has changed: a small tmpfs with the host's /usr bound into it, files of its /etc, and
// what every root has (skeleton.h). Each environment gets overlays of that, of which every inode is its own: what a function
// watches (inotify) or locks there, neither the host nor another function has anything to do with. The data, and what the
// kernel keeps of them in memory, are the host's.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/skeleton.h"

namespace ogni::sandbox {

struct RootPart {
  std::string path;  // in the root, without a leading slash
  Fd tree;
};
struct Root {
  Fd tree;
  std::vector<RootPart> parts;  // to be attached to it in this order
};

class TemplateRoot {
 public:
  // Makes the template the root of this mount namespace, which must be private to the caller and see the host's files.
  // The host's /proc is covered while it is made.
  [[nodiscard]] static Result<TemplateRoot> become(SharedMemory shared_memory);

  // Detached trees for one environment: the caller's mount namespace is the one of become().
  [[nodiscard]] Result<Root> take() const;
  // Empty where each environment has inodes of its own; else why they are the host's.
  const std::string& why_shared() const { return why_shared_; }

 private:
  struct Part {
    std::string path;
    std::string layers;  // of an overlay; empty: the mount itself
  };
  void plan(const std::set<std::string>& mounts, bool has_devices);

  std::vector<Part> parts_;
  std::string why_shared_;
};

}  // namespace ogni::sandbox
