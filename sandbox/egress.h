// The way out as root: a pair of virtual interfaces per environment, and one table of rules.
//
// What is let through is forwarded and masqueraded. A packet of an environment that is addressed to this host is dropped
// before the host's own rules can send it elsewhere; one that those rules send to this host is dropped in the input chain.
// The table carries the service's tag: the launcher replaces it at its start and removes it at its end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/way_out.h"

namespace ogni::sandbox {

class Egress : public WayOut {
 public:
  // `host_mounts`: the mount namespace that has /usr/sbin/nft. Switches forwarding of IPv4 on for as long as it, or another
  // service's, lives.
  // Errors name what is missing. For a single-threaded caller, in the network namespace that leads out.
  [[nodiscard]] static Result<std::unique_ptr<WayOut>> create(std::string_view tag, int host_mounts);
  ~Egress() override;

  // Removes what a predecessor with this tag left when it was killed: the rules, and forwarding if it had switched it on
  // and no other service still needs it.
  static void sweep(std::string_view tag, int host_mounts);

  [[nodiscard]] Result<std::uint32_t> connect(pid_t process) override;

 private:
  Egress(std::string tag, Fd host_mounts);
  static void clear_away(std::string_view tag, const Fd& host_mounts);
  Result<void> load_rules(bool forwarding_is_off) const;
  Result<void> choose_network();
  std::string prefix() const;  // of our ends of the pairs

  std::string tag_;
  std::uint32_t hash_ = 0;
  std::uint32_t network_ = kCarrierRange;  // of all environments: a /14 that no other service has
  Fd host_mounts_;
  bool is_open_ = false;
};

}  // namespace ogni::sandbox
