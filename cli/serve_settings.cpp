#include "cli/serve_settings.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <limits>

#include "base/text.h"
#include "protocol/arn.h"

namespace ogni::cli {
namespace {

using service::Settings;
using Words = std::vector<std::string>;

std::unexpected<Error> refuse(const std::string& word, const std::string& wanted) {
  return failure(ErrorCode::kInvalidArgument, "'" + printable(word) + "' is not " + wanted);
}

Result<long long> number(const std::string& word, long long least, long long most) {
  long long value = 0;
  const char* const last = word.data() + word.size();
  const auto [end, status] = std::from_chars(word.data(), last, value);
  if (status != std::errc() || end != last || value < least || value > most) {
    return refuse(word, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

template <auto Member, long long Least, long long Most>
Result<void> set_number(Settings& settings, const Words& words) {
  auto value = number(words.front(), Least, Most);
  if (!value) return failure(value.error());
  using Target = std::remove_reference_t<decltype(settings.*Member)>;
  settings.*Member = static_cast<Target>(*value);
  return {};
}

template <auto Member>
Result<void> set_switch(Settings& settings, const Words& words) {
  const std::string word = to_lower(words.front());
  const bool is_on = word == "true" || word == "1" || word == "yes" || word == "on";
  if (!is_on && word != "false" && word != "0" && word != "no" && word != "off") {
    return refuse(words.front(), "true or false");
  }
  settings.*Member = is_on;
  return {};
}

Result<void> set_listen(Settings& settings, const Words& words) {
  const std::string& word = words.front();
  const std::size_t colon = word.rfind(':');
  std::string address = word.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  std::array<unsigned char, sizeof(::in6_addr)> ignored{};
  const bool is_address = ::inet_pton(AF_INET, address.c_str(), ignored.data()) == 1 ||
                          ::inet_pton(AF_INET6, address.c_str(), ignored.data()) == 1;
  const auto port = colon == std::string::npos ? Result<long long>(0) : number(word.substr(colon + 1), 0, 65535);
  if (colon == std::string::npos || !is_address || !port) {
    return refuse(word, "ADDRESS:PORT with a numeric address, for example 127.0.0.1:4566 or [::1]:4566");
  }
  settings.listen_address = address;
  settings.listen_port = static_cast<std::uint16_t>(*port);
  return {};
}

Result<void> set_data(Settings& settings, const Words& words) {
  if (words.front().empty()) return refuse(words.front(), "a folder");
  std::error_code error;
  std::filesystem::path folder = std::filesystem::absolute(words.front(), error).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();  // "data/" is "data"
  settings.data_directory = folder.string();
  if (error) return refuse(words.front(), "a folder that can be found");
  return {};
}

Result<void> set_isolation(Settings& settings, const Words& words) {
  const std::string& word = words.front();
  if (word == "auto") {
    settings.isolation.reset();
  } else if (word == "process") {
    settings.isolation = sandbox::Strength::kProcess;
  } else if (word == "namespace") {
    settings.isolation = sandbox::Strength::kNamespace;
  } else {
    return refuse(word, "auto, process or namespace");
  }
  return {};
}

Result<void> set_network(Settings& settings, const Words& words) {
  const std::string& word = words.front();
  if (word == "loopback") {
    settings.network = Settings::Network::kLoopback;
  } else if (word == "tagged") {
    settings.network = Settings::Network::kTagged;
  } else if (word == "egress") {
    settings.network = Settings::Network::kEgress;
  } else {
    return refuse(word, "loopback, tagged or egress");
  }
  return {};
}

Result<void> set_rootfs(Settings& settings, const Words& words) {
  const std::string& word = words.front();
  if (word.empty() || (word.front() != '/' && word.find('/') != std::string::npos)) {
    return refuse(word, "a name of ogni rootfs list, host, or an absolute path");
  }
  settings.rootfs = word;
  return {};
}

Result<void> set_processor(Settings& settings, const Words& words) {
  const std::string& word = words.front();
  if (word != "weight" && word != "aws") return refuse(word, "weight or aws");
  settings.processor_quota = word == "aws";
  return {};
}

Result<void> set_user(Settings& settings, const Words& words) {
  settings.user = words.front();
  return {};
}

Result<void> set_hosts(Settings& settings, const Words& words) {
  settings.allowed_hosts.clear();
  for (const std::string& word : words) {
    const std::string host = to_lower(word);
    const bool is_name = !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == ':';
    });
    if (!is_name) return refuse(word, "a host name or address");
    settings.allowed_hosts.push_back(host);
  }
  return {};
}

Result<void> set_account(Settings& settings, const Words& words) {
  if (!protocol::is_account(words.front())) return refuse(words.front(), "an account number of 12 digits");
  settings.account = words.front();
  return {};
}

Result<void> set_region(Settings& settings, const Words& words) {
  if (!protocol::is_region(words.front())) return refuse(words.front(), "a region, for example eu-central-1");
  settings.region = words.front();
  return {};
}

Result<void> set_log_level(Settings& settings, const Words& words) {
  constexpr std::array<std::string_view, 6> kLevels{"trace", "debug", "info", "warn", "error", "off"};
  if (std::ranges::find(kLevels, words.front()) == kLevels.end()) {
    return refuse(words.front(), "trace, debug, info, warn, error or off");
  }
  settings.log_level = words.front();
  return {};
}

constexpr long long kDayMs = 86'400'000;

using enum SettingKind;
constexpr auto kRows = std::to_array<SettingRow>({
    {"listen", kText, "ADDRESS:PORT", "Where the API listens (default 127.0.0.1:4566; port 0: any)", set_listen},
    {"allow-remote", kSwitch, "", "Accept an address other than loopback: whoever reaches it can run code here",
     set_switch<&Settings::allow_remote>},
    {"allow-host", kList, "NAME", "Another name that requests may call this service by; may be repeated", set_hosts},
    {"data", kText, "DIR", "Where functions are kept (default: /var/lib/ogni as root, else $XDG_DATA_HOME/ogni)",
     set_data},
    {"isolation", kText, "STRENGTH", "auto, process or namespace (default auto: the strongest this host can do)",
     set_isolation},
    {"user", kText, "USER", "Whom to run as when started as root (default: ogni, else SUDO_UID)", set_user},
    {"concurrency", kNumber, "N", "Invocations at once (default 1000)",
     set_number<&Settings::concurrency_max, 1, 100'000>},
    {"starts", kNumber, "N",
     "Programs being started at once (default 0: two for each processor); more while processors are idle",
     set_number<&Settings::starts_max, 0, 10'000>},
    {"start-wait", kNumber, "S", "How long an invocation may wait for an environment's start (default 300)",
     set_number<&Settings::start_wait, 1, 3'600>},
    {"reuse-grace", kNumber, "MS", "How long at most to wait for an environment that is about to be free (default 50)",
     set_number<&Settings::reuse_grace, 0, 10'000>},
    {"idle-timeout", kNumber, "S", "When an unused environment is shut down (default 600)",
     set_number<&Settings::idle_max, 1, 86'400>},
    {"freeze-after", kNumber, "MS", "When an idle environment's processes are stopped (default 100; 0: at once)",
     set_number<&Settings::freeze_after, 0, kDayMs>},
    {"network", kText, "REACH",
     "What functions reach: loopback (default), tagged (other hosts, with tag ogni:network=egress) or egress (all); "
     "needs "
     "nftables and, without root, pasta",
     set_network},
    {"rootfs", kText, "NAME|DIR",
     "Files of functions' root: host (/usr; default), a name of ogni rootfs list, or an absolute path", set_rootfs},
    {"cpu", kText, "HOW", "weight: by memory, never idle (default); aws: one processor per 1,769 MB and no more",
     set_processor},
    {"activation-delay", kNumber, "MS", "How long new and changed functions stay Pending (default 0)",
     set_number<&Settings::activation_delay, 0, kDayMs>},
    {"max-connections", kNumber, "N", "Client connections at once (default 1024)",
     set_number<&Settings::connections_max, 1, 100'000>},
    {"allow-nearest-python", kSwitch, "", "Run python3.N on another Python 3 of this host if N is not there",
     set_switch<&Settings::allow_nearest_python>},
    {"memory-overcommit", kNumber, "N",
     "How many times the host's memory all environments may have together (default 8); beyond it, 429",
     set_number<&Settings::memory_overcommit, 1, 1000>},
    {"blank-environments", kNumber, "N", "Environments made ahead of demand, so that a cold start is short (default 4)",
     set_number<&Settings::blank_environments, 0, 16>},
    {"dev-shm", kNumber, "MB",
     "Size of each function's /dev/shm, which counts as its memory (default 0: none, as on AWS)",
     set_number<&Settings::shared_memory_mb, 0, 10'240>},
    {"account", kText, "ID", "Account in ARNs (default 000000000000)", set_account},
    {"region", kText, "REGION", "Region in ARNs, which clients sign for (default us-east-1)", set_region},
    {"log-level", kText, "LEVEL", "trace, debug, info, warn, error or off (default info)", set_log_level},
});

Words split_list(std::string_view text) {
  Words words;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

}  // namespace

std::span<const SettingRow> setting_rows() { return kRows; }

std::string environment_name(std::string_view setting) {
  std::string name = "OGNI_";
  for (const char c : setting) name += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

SettingWords words_from_environment(const std::function<const char*(const char*)>& lookup) {
  SettingWords found;
  for (const SettingRow& row : kRows) {
    const char* value = lookup(environment_name(row.name).c_str());
    if (value == nullptr || *value == '\0') continue;
    found[row.name] = row.kind == SettingKind::kList ? split_list(value) : Words{value};
  }
  return found;
}

Result<Settings> merge_settings(std::span<const SettingSource> sources) {
  Settings settings;
  for (const SettingRow& row : kRows) {
    for (const SettingSource& source : sources) {
      const auto words = source.words.find(row.name);
      if (words == source.words.end()) continue;
      if (words->second.empty() && row.kind != SettingKind::kList) continue;
      auto applied = row.apply(settings, words->second);
      if (!applied) return failure(std::move(applied.error()).within(source.name + ": " + row.name));
      break;
    }
  }
  return settings;
}

Result<SettingSource> config_source(std::string path, bool is_root,
                                    const std::function<const char*(const char*)>& lookup) {
  if (const char* named = lookup("OGNI_CONFIG"); path.empty() && named != nullptr) path = named;
  const bool is_named = !path.empty();
  if (!is_named) path = default_config_path(is_root, lookup);
  std::error_code ignored;
  if (!is_named && (path.empty() || !std::filesystem::exists(path, ignored))) return SettingSource{};
  auto words = words_from_toml(path);
  if (!words) return failure(std::move(words).error());
  return SettingSource{.name = printable(path), .words = std::move(*words)};
}

std::string default_config_path(bool is_root, const std::function<const char*(const char*)>& lookup) {
  if (is_root) return "/etc/ogni/ogni.toml";
  const char* config = lookup("XDG_CONFIG_HOME");
  if (config != nullptr && *config == '/') return std::string(config) + "/ogni/ogni.toml";
  const char* home = lookup("HOME");
  return home != nullptr && *home == '/' ? std::string(home) + "/.config/ogni/ogni.toml" : std::string();
}

}  // namespace ogni::cli
