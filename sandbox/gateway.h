// The way out for services of ordinary users: a network namespace of the launcher's own, the gateway, between the
// environments and pasta.
//
//   environment ── pair ── [ gateway: forwards, masquerades, drops ] ── tap ── pasta ── sockets in the host's network
//
// One pasta for all of them: it holds 20 MB. The rules are where no function can be, in one table. To pasta the host's own
// addresses are like any other, so the table has a set of them, which follows the host's routing tables; where it cannot
// follow, nothing leads out any more.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/kernel.h"
#include "sandbox/pasta.h"
#include "sandbox/way_out.h"

namespace ogni::sandbox {

class Gateway : public WayOut {
 public:
  // For a single-threaded caller with every capability in a user namespace, in the network namespace that leads out.
  // `host_mounts`: the mount namespace that has /usr/bin/pasta and /usr/sbin/nft. Errors name what is missing.
  [[nodiscard]] static Result<std::unique_ptr<WayOut>> create(int host_mounts);
  ~Gateway() override;

  [[nodiscard]] Result<std::uint32_t> connect(pid_t process) override;
  int descriptor() const override { return happened_.get(); }
  void attend() override;

 private:
  explicit Gateway(Fd host_mounts, Fd happened)
      : host_mounts_(std::move(host_mounts)), happened_(std::move(happened)) {}
  Result<void> make_namespace();
  Result<void> enter_with_sockets();
  Result<void> watch_host();
  Result<void> load_rules();
  Result<void> follow_host();
  Result<void> watch_pasta();
  Result<void> start_pasta();
  void start_again_in(std::chrono::nanoseconds pause) const;
  Result<void> watch(int descriptor) const;

  Fd host_mounts_;
  Fd happened_;  // an epoll
  Child holder_;
  Fd holder_lifeline_;
  std::optional<RouteNetlink> inside_;  // of the gateway
  Fd inside_news_;                      // of its routes
  std::optional<RouteNetlink> host_;
  Fd host_news_;                                // of the host's routes and addresses
  std::vector<std::string> host_destinations_;  // as the rules know them
  std::optional<Pasta> pasta_;
  std::chrono::steady_clock::time_point pasta_start_;
  Fd start_again_;  // a timer
};

}  // namespace ogni::sandbox
