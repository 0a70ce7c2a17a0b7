// The processors that this service and its environments may use, and how many of them had nothing to do lately.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ogni::service {

class Processors {
 public:
  // `root` stands before /proc and /sys, for tests.
  explicit Processors(std::string root = {});

  // By the affinity of this process and the quotas of the control groups that it is in; at least 1.
  std::size_t count() const;
  // Since the last call; 0 at the first one, after more than 2 s, and where the kernel does not tell.
  std::size_t idle(std::chrono::steady_clock::time_point now);

 private:
  struct Quota {
    double processors = 0;
    std::string usage_file;  // time used by the group
  };
  struct Look {
    std::chrono::steady_clock::time_point at;
    double idle_seconds = 0;             // of all processors that this process may use
    std::optional<double> used_seconds;  // by the group with the quota
  };
  void read_affinity();
  void read_quotas();
  void note_quota(Quota quota);
  std::optional<Look> look(std::chrono::steady_clock::time_point now) const;
  std::optional<std::string> read(const std::string& path) const;

  std::string root_;
  std::vector<std::size_t> processors_;  // by number
  std::optional<Quota> quota_;           // the tightest one
  std::optional<Look> last_;
};

}  // namespace ogni::service
