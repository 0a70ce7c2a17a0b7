// X-Amzn-Trace-Id: goes on with the caller's trace or begins one.
#pragma once

#include <string>
#include <string_view>

namespace ogni::service {

// "Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0" (1 where the function traces and the caller has not decided), and
// further fields of `incoming` behind. What `incoming` lacks or has badly formed is made new; one over 1 KiB is
// ignored.
std::string continue_trace(std::string_view incoming, bool is_tracing = false);
// "root=…;sampled=…": what the caller of an invocation is told about `trace`.
std::string trace_for_caller(std::string_view trace);

}  // namespace ogni::service
