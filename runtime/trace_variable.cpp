#include "runtime/trace_variable.h"

#include <cstdlib>
#include <cstring>

#include "protocol/runtime_api.h"

namespace ogni::runtime {

TraceVariable::TraceVariable() {
  const std::string_view name = protocol::variable::kTraceId;
  std::memcpy(buffer_.data(), name.data(), name.size());
  buffer_[name.size()] = '=';
  name_bytes_ = name.size() + 1;
  buffer_[name_bytes_] = '\0';
}

TraceVariable::~TraceVariable() {
  if (std::getenv(protocol::variable::kTraceId) == buffer_.data() + name_bytes_)
    ::unsetenv(protocol::variable::kTraceId);
}

void TraceVariable::set(std::string_view trace_id) {
  if (trace_id.empty() || trace_id.size() >= buffer_.size() - name_bytes_) {
    ::unsetenv(protocol::variable::kTraceId);
    return;
  }
  std::memcpy(buffer_.data() + name_bytes_, trace_id.data(), trace_id.size());
  buffer_[name_bytes_ + trace_id.size()] = '\0';
  // The handler may have replaced the variable with its own.
  if (std::getenv(protocol::variable::kTraceId) != buffer_.data() + name_bytes_) ::putenv(buffer_.data());
}

}  // namespace ogni::runtime
