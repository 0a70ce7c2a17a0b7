#include "service/logs/log_config.h"

#include <array>
#include <boost/json/parse.hpp>
#include <utility>

#include "base/text.h"

namespace ogni::service {

namespace json = boost::json;

namespace {

constexpr std::array<std::pair<std::string_view, LogLevel>, 8> kNames = {{{"TRACE", LogLevel::kTrace},
                                                                          {"DEBUG", LogLevel::kDebug},
                                                                          {"INFO", LogLevel::kInfo},
                                                                          {"WARN", LogLevel::kWarn},
                                                                          {"WARNING", LogLevel::kWarn},
                                                                          {"ERROR", LogLevel::kError},
                                                                          {"FATAL", LogLevel::kFatal},
                                                                          {"CRITICAL", LogLevel::kFatal}}};

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

}  // namespace

LogLevel log_level(std::string_view name) {
  for (const auto& [known, level] : kNames) {
    if (equals_ignoring_case(name, known)) return level;
  }
  return LogLevel::kInfo;
}

LogConfig log_config(std::string_view stored_json) {
  LogConfig config;
  boost::system::error_code error;
  const json::value stored = json::parse(stored_json, error);
  const json::object* members = error ? nullptr : stored.if_object();
  const json::value* member = members == nullptr ? nullptr : members->if_contains("LoggingConfig");
  const json::object* given = member == nullptr ? nullptr : member->if_object();
  if (given == nullptr) return config;
  config.is_json = text_of(*given, "LogFormat") == "JSON";
  if (const std::string level = text_of(*given, "ApplicationLogLevel"); !level.empty()) {
    config.application_level = level;
    config.application = log_level(level);
  }
  config.system = log_level(text_of(*given, "SystemLogLevel"));
  config.group = text_of(*given, "LogGroup");
  return config;
}

bool is_below(std::string_view line, LogLevel threshold) {
  if (threshold == LogLevel::kTrace || !line.starts_with('{') || line.find("\"level\"") == std::string_view::npos) {
    return false;
  }
  boost::system::error_code error;
  const json::value entry = json::parse(line, error);
  const json::object* members = error ? nullptr : entry.if_object();
  return members != nullptr && log_level(text_of(*members, "level")) < threshold;
}

}  // namespace ogni::service
