// Any text as ogni.toml: values or a problem with its line.
#include <cstdint>
#include <cstdlib>

#include "bootstrap/settings.h"
#include "bootstrap/toml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ogni::bootstrap;
  const auto is_known = [](std::string_view name) { return name.size() < 8; };
  TomlValues values;
  std::string problem;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (parse_toml(text, is_known, values, problem) != problem.empty()) std::abort();
  std::vector<std::string> words;
  if (split_command(text, words)) {
    std::string line;
    for (const std::string& word : words) line += quoted_word(word) + " ";
    std::vector<std::string> again;
    if (!split_command(line, again) || again != words) std::abort();
  }
  return 0;
}
