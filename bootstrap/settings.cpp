#include "bootstrap/settings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "bootstrap/descriptor.h"
#include "protocol/runtime_api.h"

namespace ogni::bootstrap {
namespace {

// Looked through after PATH. Source: AWS Lambda Developer Guide, "Defined runtime environment variables", PATH.
constexpr const char* kProgramDirectories[] = {"/var/lang/bin", "/usr/local/bin", "/usr/bin", "/bin"};

std::string variable(const char* name, std::string fallback = {}) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? std::move(fallback) : value;
}

constexpr std::string_view kNames[] = {
    "way",
    "worker",
    "interpreter",
    "language",
    "children",
    "prefork",
    "debug",
    "exec.command",
    "exec.content_type",
    "http.command",
    "http.port",
    "http.address",
    "http.ready_path",
    "http.ready_ms",
    "http.events_path",
    "http.stream",
    "fastcgi.command",
    "fastcgi.address",
    "fastcgi.script",
    "fastcgi.root",
    "fastcgi.static",
    "fastcgi.ready_ms",
    "fastcgi.events_path",
    "fastcgi.stream",
};
constexpr std::size_t kFileBytesMax = 64 * 1024;

// Of a setting, or of a table: "http.".
bool is_known(std::string_view name) {
  for (const std::string_view known : kNames) {
    if (known == name || (name.ends_with('.') && known.starts_with(name))) return true;
  }
  return false;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Takes what begins at `at` and belongs to the same word, up to and with the closing quote.
bool take_quoted(std::string_view line, std::size_t& at, std::string& word) {
  const char quote = line[at++];
  while (at < line.size() && line[at] != quote) {
    const bool escapes =
        quote == '"' && line[at] == '\\' && at + 1 < line.size() && (line[at + 1] == '"' || line[at + 1] == '\\');
    if (escapes) ++at;
    word += line[at++];
  }
  return at++ < line.size();
}

}  // namespace

Settings::Settings()
    : handler_(variable(protocol::variable::kHandler)),
      task_root_(variable(protocol::variable::kTaskRoot, "/var/task")),
      opt_(variable("OGNI_OPT", "/opt")) {
  read_file();
}

void Settings::read_file() {
  const std::string path = task_root_ + "/ogni.toml";
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return;
  std::string text(kFileBytesMax + 1, '\0');
  const ssize_t count = ::read(file.get(), text.data(), text.size());
  if (count < 0 || static_cast<std::size_t>(count) > kFileBytesMax) {
    problem_ = path + " cannot be read, or is larger than 64 KiB";
    return;
  }
  text.resize(static_cast<std::size_t>(count));
  if (!parse_toml(text, is_known, file_, problem_)) problem_ = path + ", " + problem_;
}

std::string Settings::text(std::string_view name) const {
  std::string variable_name = "OGNI_";
  for (const char c : name) {
    variable_name += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  const char* value = std::getenv(variable_name.c_str());
  if (value != nullptr) return value;
  const auto found = file_.find(name);
  return found == file_.end() ? std::string() : found->second;
}

std::string Settings::text_or(std::string_view name, std::string_view fallback) const {
  std::string value = text(name);
  return value.empty() ? std::string(fallback) : value;
}

bool Settings::number(std::string_view name, std::int64_t max, std::int64_t& value) const {
  const std::string text = this->text(name);
  if (text.empty()) return true;
  std::int64_t parsed = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || parsed < 0 || parsed > max) return false;
  value = parsed;
  return true;
}

bool Settings::is_on(std::string_view name) const {
  const std::string value = text(name);
  return value == "1" || value == "true" || value == "yes";
}

bool Settings::is_off(std::string_view name) const {
  const std::string value = text(name);
  return value == "0" || value == "false" || value == "no";
}

std::vector<std::string> Settings::search_path() const {
  std::vector<std::string> directories = {task_root_ + "/bin", opt_ + "/bin"};
  const std::string path = variable("PATH");
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    if (end > 0) directories.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  directories.insert(directories.end(), std::begin(kProgramDirectories), std::end(kProgramDirectories));
  return directories;
}

std::string Settings::find_program(std::string_view name) const {
  if (name.empty()) return {};
  const std::string word(name);
  if (word.front() == '/') return is_executable(word) ? word : std::string();
  std::string path = task_root_ + "/" + word;
  if (is_executable(path)) return path;
  if (word.find('/') != std::string::npos) return {};
  for (const std::string& directory : search_path()) {
    path = directory + "/" + word;
    if (is_executable(path)) return path;
  }
  return {};
}

bool Settings::find_command(std::string_view line, std::vector<std::string>& words, std::string& problem) const {
  if (!split_command(line, words)) {
    problem = "a quote or a backslash is left open in " + std::string(line);
    return false;
  }
  const std::string name = words.empty() ? "(nothing)" : words.front();
  const std::string program = words.empty() ? std::string() : find_program(name);
  if (program.empty()) {
    problem = "there is no executable file " + name + " in " + task_root_ + ", its bin/ or PATH";
    return false;
  }
  words.front() = program;
  return true;
}

std::vector<std::string> Settings::function_environment() const {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (!name.starts_with("OGNI_") && name != protocol::variable::kTraceId) result.emplace_back(text);
  }
  return result;
}

bool is_executable(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::string quoted_word(std::string_view word) {
  std::string result = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

bool split_command(std::string_view line, std::vector<std::string>& words) {
  std::size_t at = 0;
  while (true) {
    while (at < line.size() && is_blank(line[at])) ++at;
    if (at == line.size()) return true;
    std::string& word = words.emplace_back();
    while (at < line.size() && !is_blank(line[at])) {
      if (line[at] == '\'' || line[at] == '"') {
        if (!take_quoted(line, at, word)) return false;
        continue;
      }
      if (line[at] == '\\') ++at;
      if (at == line.size()) return false;
      word += line[at++];
    }
  }
}

}  // namespace ogni::bootstrap
