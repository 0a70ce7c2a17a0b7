// The launcher's mount namespaces, and the trees it takes out of them.
//
// A new environment starts with a copy of the mount namespace that its launcher is in, so the launcher lives in a lean
// one with next to no mounts (an empty root, and the host's /proc, which the kernel wants to see before it lets an
// environment mount its own). It steps into two others when it needs a tree: one that mirrors the host, for code, and
// one whose root is the template (template_root.h). All three belong to the launcher alone.
#pragma once

#include <span>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

// Directories that an environment gets, by the daemon's descriptors (borrowed); -1 = none.
struct CodeDirectories {
  int task = -1;
  int runtime = -1;
  std::span<const Fd> layers;
};

// Detached trees, sealed read-only, ready to be attached by an init. Empty where there is none.
struct Trees {
  Fd root;
  Fd task;
  Fd runtime;
  Fd opt;
};

class [[nodiscard]] MountNamespaces {
 public:
  // Leaves the caller (single-threaded, with CAP_SYS_ADMIN) in the lean namespace.
  [[nodiscard]] static Result<MountNamespaces> create();

  // The trees of one environment. The caller is in the lean namespace before and after; if the way back fails it must
  // not go on, which `lost()` tells.
  [[nodiscard]] Result<Trees> take_trees(const CodeDirectories& code);
  bool lost() const { return lost_; }

 private:
  MountNamespaces(Fd host, Fd template_root, Fd lean)
      : host_(std::move(host)), template_root_(std::move(template_root)), lean_(std::move(lean)) {}
  Result<Trees> take_trees_and_stray(const CodeDirectories& code);

  Fd host_;
  Fd template_root_;
  Fd lean_;
  bool lost_ = false;
};

}  // namespace ogni::sandbox
