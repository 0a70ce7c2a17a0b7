// _X_AMZN_TRACE_ID, which tracing libraries read from the environment during an invocation.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace ogni::runtime {

// Puts its own buffer into the environment and rewrites it for each invocation, because setenv(3) leaks one
// copy of every distinct value. Outlives whoever may read the variable; the destructor removes it where it is its own. One at a
// time in a process, and no other thread may use the environment during set().
class TraceVariable {
 public:
  TraceVariable();
  ~TraceVariable();
  TraceVariable(const TraceVariable&) = delete;
  TraceVariable& operator=(const TraceVariable&) = delete;

  // Sets the variable, or removes it where `trace_id` is empty or too long to be one.
  void set(std::string_view trace_id);

 private:
  std::size_t name_bytes_ = 0;  // with the '='
  std::array<char, 2048> buffer_;
};

}  // namespace ogni::runtime
