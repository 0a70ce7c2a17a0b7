// What the function's author has set: OGNI_* variables, which win, and ogni.toml beside the function.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/toml.h"

namespace ogni::bootstrap {

class Settings {
 public:
  // From this process's environment and the task root.
  Settings();

  // What is wrong with ogni.toml; empty: nothing.
  const std::string& problem() const { return problem_; }

  // A setting by its name in ogni.toml, tables with a point: "http.port" is OGNI_HTTP_PORT. Empty where absent.
  std::string text(std::string_view name) const;
  std::string text_or(std::string_view name, std::string_view fallback) const;
  // Only "1", "true" and "yes" are.
  bool is_on(std::string_view name) const;
  // Only "0", "false" and "no" are.
  bool is_off(std::string_view name) const;
  // A whole number up to `max`; `value` stays where the setting is absent. False: it is something else.
  bool number(std::string_view name, std::int64_t max, std::int64_t& value) const;

  const std::string& handler() const { return handler_; }
  const std::string& task_root() const { return task_root_; }
  // Where layers are: /opt.
  const std::string& opt() const { return opt_; }

  // The program of a command: a name with a slash lies below the task root unless it is absolute; one without is looked
  // for in the task root, its bin/, and search_path(). Empty: there is no such executable file.
  std::string find_program(std::string_view name) const;
  // Splits a command line and puts its program's path first. False: `problem` says why not.
  bool find_command(std::string_view line, std::vector<std::string>& words, std::string& problem) const;
  // Directories where interpreters are looked for.
  std::vector<std::string> search_path() const;

  // This process's variables less those that are Ogni's own ("OGNI_...") or belong to one invocation.
  std::vector<std::string> function_environment() const;

 private:
  void read_file();

  TomlValues file_;
  std::string problem_;
  std::string handler_;
  std::string task_root_;
  std::string opt_;
};

// Whether this is a file that may be executed.
bool is_executable(const std::string& path);

// Words of a command line: separated by blanks; '...' is taken as it is, "..." with \" and \\ for these two, a backslash
// elsewhere takes the next character as it is. Nothing else is special: no variables, no globs. False: a quote or a
// backslash is left open.
bool split_command(std::string_view line, std::vector<std::string>& words);
// A word as split_command() gives it back.
std::string quoted_word(std::string_view word);

}  // namespace ogni::bootstrap
