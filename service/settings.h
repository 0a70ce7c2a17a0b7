// What `ogni serve` can be told. Plain data: the command line fills it from flags, environment and ogni.toml.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/launcher.h"

namespace ogni::service {

struct Settings {
  // Where the API listens: a numeric IPv4 or IPv6 address. Port 0 = any free one; the daemon says which.
  std::string listen_address = "127.0.0.1";
  std::uint16_t listen_port = 4566;
  bool allow_remote = false;  // an address other than loopback is refused unless this is set
  // Names beside loopback addresses and *.localhost that a request's Host may have, without port, in lower
  // case.
  std::vector<std::string> allowed_hosts;

  // Absolute, or empty: /var/lib/ogni as root, $XDG_DATA_HOME/ogni otherwise.
  std::string data_directory;
  std::optional<sandbox::Strength> isolation;  // absent = auto: the strongest that this host can do
  // Whom a daemon that was started as root runs as; empty = user ogni, else SUDO_UID, else a fixed high uid.
  std::string user;

  std::size_t concurrency_max = 1000;
  std::size_t starts_max = 0;                   // programs being started at once; 0 = two for each processor
  std::chrono::seconds start_wait{300};         // of an invocation, until an environment takes it
  std::chrono::milliseconds reuse_grace{50};    // 0 = the letter of AWS: never wait
  std::chrono::seconds idle_max{600};           // an environment that waits longer is shut down
  std::chrono::milliseconds freeze_after{100};  // of idling: then nothing of an environment runs; 0 = at once
  enum class Network { kLoopback, kTagged, kEgress };
  // What functions reach besides their own loopback: nothing; other hosts if tagged ogni:network=egress; or other hosts
  // unless tagged ogni:network=loopback.
  Network network = Network::kLoopback;
  // Files of functions' root: empty = the host's /usr; a name that `ogni rootfs import` has stored; an absolute path.
  std::string rootfs;
  bool processor_quota = false;                   // 1,769 MB of memory are one processor, as AWS has it, and no more
  std::chrono::milliseconds activation_delay{0};  // how long a new or changed function stays Pending or InProgress
  std::size_t connections_max = 1024;             // of clients, at once
  bool allow_nearest_python = false;              // run python3.N on another 3.x of the host if N is not there

  std::uint32_t memory_overcommit = 8;   // environments may have this many times the host's memory together
  std::uint32_t blank_environments = 4;  // environments without a function that are kept ready
  std::uint32_t shared_memory_mb = 0;    // size of each environment's /dev/shm; 0 = none, as on AWS

  std::string account = "000000000000";
  std::string region = "us-east-1";
  std::string log_level = "info";  // trace, debug, info, warn, error, off
};

}  // namespace ogni::service
