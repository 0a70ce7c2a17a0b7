// LoggingConfig of a function, as its environments act on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ogni::service {

// In the order in which a threshold compares.
enum class LogLevel : std::uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kFatal };

// "WARN", in any case; also "WARNING" and "CRITICAL", as Python has them. kInfo for anything else.
LogLevel log_level(std::string_view name);

struct LogConfig {
  bool is_json = false;  // else text, to which no level applies
  std::string application_level = "INFO";
  LogLevel application = LogLevel::kInfo;
  LogLevel system = LogLevel::kInfo;
  std::string group;  // empty: the function's own
};

// Of the settings that a function is stored with: a JSON object with, perhaps, a LoggingConfig.
LogConfig log_config(std::string_view stored_json);

// Whether a line that a function has printed is an entry in JSON of a level below `threshold`. Other text never is.
bool is_below(std::string_view line, LogLevel threshold);

}  // namespace ogni::service
