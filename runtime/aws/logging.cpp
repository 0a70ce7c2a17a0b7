#include "aws/logging/logging.h"

#include <cstdio>
#include <string>

#include "ogni/runtime.h"

namespace aws::logging {

void log(verbosity v, char const* tag, char const* msg, va_list args) {
  std::string entry = tag;
  if (!entry.empty()) entry += ' ';
  va_list again;
  va_copy(again, args);
  const int bytes = std::vsnprintf(nullptr, 0, msg, again);
  va_end(again);
  if (bytes < 0) return;
  const std::size_t before = entry.size();
  entry.resize(before + static_cast<std::size_t>(bytes));
  std::vsnprintf(entry.data() + before, static_cast<std::size_t>(bytes) + 1, msg, args);
  const int level = v == verbosity::error ? OGNI_LOG_ERROR : v == verbosity::info ? OGNI_LOG_INFO : OGNI_LOG_DEBUG;
  ogni_log(nullptr, level, entry.data(), entry.size());
}

}  // namespace aws::logging
