// How many processes and threads one environment may have.
#pragma once

namespace ogni::sandbox {

inline constexpr int kProcessesMax = 742;  // AWS's

// kProcessesMax, and less where that would be more than half of what this host lets all environments have together: one of
// them must leave the others what they need to start. Where the host's control groups can be seen.
int process_limit();

}  // namespace ogni::sandbox
