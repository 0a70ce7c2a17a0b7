// A way out for environments that may have one: a pair of virtual interfaces per environment, and one table of rules.
//
// Only as root. What is let through is forwarded and masqueraded; what is addressed to this host itself, whatever its
// address, to link-local addresses (metadata services), to other environments, or to port 25, is dropped; nothing is let
// in that is no answer. IPv4 only. The table carries the service's tag: it is replaced at start and removed at the end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

class [[nodiscard]] Egress {
 public:
  static constexpr std::uint32_t kSlotsMax = 65'536;

  // `host_mounts`: the mount namespace that has /usr/sbin/nft. Switches forwarding of IPv4 on for as long as it, or another
  // service's, lives.
  // Errors name what is missing. For a single-threaded caller, in the network namespace that leads out.
  [[nodiscard]] static Result<Egress> create(std::string_view tag, int host_mounts);
  Egress(Egress&& other) noexcept;
  Egress& operator=(Egress&&) = delete;
  ~Egress();

  // Removes what a predecessor with this tag left when it was killed: the rules, and forwarding if it had switched it on
  // and no other service still needs it.
  static void sweep(std::string_view tag, int host_mounts);

  // Gives the network namespace of `process` an interface eth0 with a default route. It goes with the namespace.
  [[nodiscard]] Result<void> connect(std::uint32_t slot, pid_t process) const;

 private:
  Egress(std::string tag, Fd host_mounts);
  static void clear_away(std::string_view tag, const Fd& host_mounts);
  Result<void> load_rules(bool forwarding_is_off) const;
  std::string prefix() const;     // of our ends of the pairs
  std::uint32_t network() const;  // of all environments: a /14 of the range for carriers, 100.64.0.0/10

  std::string tag_;
  std::uint32_t hash_ = 0;
  Fd host_mounts_;
};

}  // namespace ogni::sandbox
