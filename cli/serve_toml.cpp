// ogni.toml as setting words. The only file that sees toml++, which is large.
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>

#include "base/system.h"
#include "base/text.h"
#include "cli/serve_settings.h"

namespace ogni::cli {
namespace {

constexpr std::size_t kConfigBytesMax = 1 << 20;

Result<std::string> word_of(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<int64_t>()) return std::to_string(*number);
  if (const auto flag = node.value_exact<bool>()) return std::string(*flag ? "true" : "false");
  return failure(ErrorCode::kInvalidArgument, "the value is neither text, whole number nor true/false");
}

Result<std::vector<std::string>> words_of(const toml::node& node, SettingKind kind) {
  std::vector<std::string> words;
  if (const toml::array* list = node.as_array(); list != nullptr && kind == SettingKind::kList) {
    for (const toml::node& item : *list) {
      auto word = word_of(item);
      if (!word) return failure(word.error());
      words.push_back(std::move(*word));
    }
    return words;
  }
  auto word = word_of(node);
  if (!word) return failure(word.error());
  words.push_back(std::move(*word));
  return words;
}

std::string known_names() {
  std::string names;
  for (const SettingRow& row : setting_rows()) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

}  // namespace

Result<SettingWords> words_from_toml(const std::string& path) {
  auto text = read_file(path, kConfigBytesMax);
  if (!text) return failure(text.error());
  const toml::parse_result parsed = toml::parse(std::string_view(*text));
  if (!parsed) {
    return failure(ErrorCode::kInvalidArgument, printable(path) + ": line " +
                                                    std::to_string(parsed.error().source().begin.line) + ": " +
                                                    printable(parsed.error().description(), 500));
  }
  SettingWords found;
  for (const auto& [key, node] : parsed.table()) {
    const std::string_view name = key.str();
    const auto rows = setting_rows();
    const auto row = std::ranges::find_if(rows, [&](const SettingRow& r) { return name == r.name; });
    if (row == rows.end()) {
      return failure(ErrorCode::kInvalidArgument,
                     printable(path) + ": unknown setting '" + printable(name) + "'. Known are: " + known_names());
    }
    auto words = words_of(node, row->kind);
    if (!words) return failure(std::move(words.error()).within(printable(path) + ": " + row->name));
    found.emplace(name, std::move(*words));
  }
  return found;
}

}  // namespace ogni::cli
