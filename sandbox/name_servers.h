// The host's name servers, for environments with a way out.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

class NameServers {
 public:
  // A copy of the host's resolv.conf, to be attached once: a file that is no other environment's, since a function can watch
  // and lock whatever it can read. Empty where the host has none. A resolver on the host's loopback cannot be reached, those
  // behind it can. In a mount namespace of the launcher's own that mirrors the host's, after CodeMounts::create().
  [[nodiscard]] Result<Fd> copy();

 private:
  Result<void> have_place();

  bool has_place_ = false;
  std::uint32_t copies_ = 0;
};

}  // namespace ogni::sandbox
