// Whether an environment is one that others should not have to wait for.
//
// A weight alone protects neighbours slowly: a scheduler lets whoever runs go on for some milliseconds, and only in the long
// run is time shared out as the weights say. So an environment that goes on using more than its allowance becomes an idle one
// (cpu.idle, Linux 5.15): it has all processor time that nobody else wants, and makes way at once for who does. Since it is no
// longer idle when it got less, it keeps the allowance in the long run, however much the others want.
#pragma once

#include <chrono>
#include <cstdint>

namespace ogni::sandbox {

// Thousandths of a processor that a function's memory buys: AWS gives one whole for 1,769 MB (Developer Guide, "Configure Lambda
// function memory").
constexpr std::uint64_t processor_share(int memory_mb) { return static_cast<std::uint64_t>(memory_mb) * 1000 / 1769; }

class ProcessorPace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `share`: thousandths of a processor that its memory buys. Half of it is the allowance, and at least a quarter of a processor,
  // so that a small function that answers often is none of those.
  explicit ProcessorPace(std::uint64_t share);

  // `used`: processor time since the environment was made. True if what it used of late, over about half a second, is more than
  // its allowance. Look as often as is convenient; the first look only takes the measure.
  // `floods`: whether the daemon has more work of it at hand than it does for one environment. True as well where that goes on:
  // each piece of such work wakes somebody inside, so that many small floods fill a processor, each within its allowance.
  bool look(Time now, std::chrono::nanoseconds used, bool floods = false);
  bool is_beyond() const { return is_beyond_; }

 private:
  double allowance_;    // processors
  double average_ = 0;  // processors
  Time last_;
  std::chrono::nanoseconds last_used_{-1};
  int floods_ = 0;  // looks at which it flooded less those at which it did not, of late
  bool is_beyond_ = false;
};

}  // namespace ogni::sandbox
