// The settings of `ogni serve` from their three sources: flags, then OGNI_* environment variables, then ogni.toml.
//
// One table names each setting once; flag --idle-timeout, variable OGNI_IDLE_TIMEOUT and key idle-timeout are the same.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/settings.h"

namespace ogni::cli {

enum class SettingKind { kText, kNumber, kSwitch, kList };

struct SettingRow {
  const char* name;  // as a flag without the dashes
  SettingKind kind;
  const char* type_name;
  const char* help;
  // Sets the member from the words of one source; lists come as they were given, everything else is one word.
  Result<void> (*apply)(service::Settings& settings, const std::vector<std::string>& words);
};

std::span<const SettingRow> setting_rows();

// Setting name -> words, as one source gave them; settings that it did not mention are absent.
using SettingWords = std::map<std::string, std::vector<std::string>, std::less<>>;

// Errors: kInvalidArgument with source and setting named, for unknown keys too.
[[nodiscard]] Result<SettingWords> words_from_toml(const std::string& path);
// `lookup` is getenv, or a test's.
SettingWords words_from_environment(const std::function<const char*(const char*)>& lookup);
std::string environment_name(std::string_view setting);  // "idle-timeout" -> "OGNI_IDLE_TIMEOUT"

// A source with the name that errors call it by.
struct SettingSource {
  std::string name;
  SettingWords words;
};
// The first source that mentions a setting wins.
[[nodiscard]] Result<service::Settings> merge_settings(std::span<const SettingSource> sources);

// The settings file: `path` if it is not empty, else OGNI_CONFIG, else the default one if it exists; else an empty source.
// Errors: those of words_from_toml().
[[nodiscard]] Result<SettingSource> config_source(std::string path, bool is_root,
                                                  const std::function<const char*(const char*)>& lookup);

// Where ogni.toml is looked for if nothing names one: /etc/ogni as root, else $XDG_CONFIG_HOME/ogni or ~/.config/ogni.
// Never the working directory: whoever owns that must not configure the service. Empty if there is no home.
std::string default_config_path(bool is_root, const std::function<const char*(const char*)>& lookup);

}  // namespace ogni::cli
