#include "sandbox/processor_pace.h"

#include <algorithm>
#include <cmath>

namespace ogni::sandbox {

namespace {

constexpr double kMemorySeconds = 0.5;
constexpr double kLeastAllowance = 0.25;
// A burst is over by the next look.
constexpr int kFloods = 2;
constexpr int kFloodsMax = 4;

}  // namespace

ProcessorPace::ProcessorPace(std::uint64_t share)
    : allowance_(std::max(static_cast<double>(share) / 2000, kLeastAllowance)) {}

bool ProcessorPace::look(Time now, std::chrono::nanoseconds used, bool floods) {
  const double seconds = std::chrono::duration<double>(now - last_).count();
  if (last_used_.count() >= 0 && seconds > 0) {
    const double processors = std::chrono::duration<double>(used - last_used_).count() / seconds;
    const double kept = std::exp(-seconds / kMemorySeconds);
    average_ = average_ * kept + processors * (1 - kept);
    floods_ = std::clamp(floods_ + (floods ? 1 : -1), 0, kFloodsMax);
    is_beyond_ = average_ > allowance_ || floods_ >= kFloods;
  }
  last_ = now;
  last_used_ = used;
  return is_beyond_;
}

}  // namespace ogni::sandbox
