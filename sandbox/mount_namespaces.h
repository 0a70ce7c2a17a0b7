// The launcher's mount namespaces, and the trees it takes out of them.
//
// A new environment starts with a copy of the mount namespace that its launcher is in, so the launcher lives in a lean
// one with next to no mounts (an empty root, and the host's /proc, which the kernel wants to see before it lets an
// environment mount its own). It steps into two others when it needs a tree: one that mirrors the host, for code and roots of functions' own, and
// one whose root is the template (template_root.h). All three belong to the launcher alone.
#pragma once

#include <cstdint>
#include <span>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/code_mounts.h"
#include "sandbox/etc_watch.h"
#include "sandbox/name_servers.h"
#include "sandbox/skeleton.h"
#include "sandbox/template_root.h"

namespace ogni::sandbox {

// Directories that an environment gets, by the daemon's descriptors (borrowed); -1 = none.
struct CodeDirectories {
  int task = -1;
  int runtime = -1;
  std::span<const Fd> layers;
  bool name_servers = false;  // the host's /etc/resolv.conf, for an environment with a way out
};

// What a function's environment has besides its root: detached trees, sealed read-only, ready to be attached by an init.
// Empty where there is none.
struct Trees {
  Fd task;
  Fd runtime;
  Fd opt;
  Fd tmp;  // empty: the init makes one in memory
  Fd name_servers;
};

// Where in the lean root an environment finds what it covers parts of its /proc with.
inline constexpr const char* kEmptyFile = "/empty";
inline constexpr const char* kEmptyDirectory = "/nothing";

// What follows why environments share inodes with the host.
inline constexpr const char* kSharedInodes =
    ": functions see by inotify which files below /usr and /etc the host and other functions open, and hold locks on "
    "them";

class [[nodiscard]] MountNamespaces {
 public:
  // Leaves the caller (single-threaded, with CAP_SYS_ADMIN) in the lean namespace. `shared_memory` is of every root.
  [[nodiscard]] static Result<MountNamespaces> create(SharedMemory shared_memory);

  // Detached trees to be the root of one environment, of the host's files or of those below the directory `files` (the
  // daemon's descriptor, borrowed); and what its function has in there. The caller is in the lean namespace before and
  // after; if the way back fails it must not go on, which `lost()` tells.
  [[nodiscard]] Result<Root> take_root(int files = -1);
  [[nodiscard]] Result<Trees> take_trees(const CodeDirectories& code);
  // Makes the template anew if the host's /etc has changed since it was made. Returns true if it did: roots that were
  // taken before are then out of date. If the new template cannot be made, the old one stays and the next call tries
  // again. The caller is in the lean namespace, as for take_root().
  [[nodiscard]] bool follow_host();
  bool lost() const { return lost_; }
  // Why environments share inodes with the host; empty where they do not.
  const std::string& why_shared() const { return template_root_.why_shared(); }
  // Descriptor of the mirror of the host.
  int host() const { return host_.get(); }

 private:
  MountNamespaces(Fd host, EtcWatch etc_watch, SharedMemory shared_memory, CodeMounts code_mounts,
                  Fd template_namespace, TemplateRoot template_root, Fd lean)
      : host_(std::move(host)),
        etc_watch_(std::move(etc_watch)),
        shared_memory_(shared_memory),
        code_mounts_(std::move(code_mounts)),
        template_namespace_(std::move(template_namespace)),
        template_root_(std::move(template_root)),
        lean_(std::move(lean)) {}
  Result<Root> take_root_and_stray(int files);
  Result<void> make_template_and_stray();
  Result<Trees> take_trees_and_stray(const CodeDirectories& code);
  template <typename Taken>
  Taken return_with(Taken taken);

  Fd host_;
  EtcWatch etc_watch_;
  bool template_is_old_ = false;
  SharedMemory shared_memory_;
  CodeMounts code_mounts_;  // they live in host_
  NameServers name_servers_;
  Fd template_namespace_;
  TemplateRoot template_root_;  // lives in template_namespace_
  Fd lean_;
  bool lost_ = false;
};

}  // namespace ogni::sandbox
