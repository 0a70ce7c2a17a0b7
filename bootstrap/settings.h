// What the function's author has set: OGNI_* variables, which win, and ogni.toml beside the function.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ogni::bootstrap {

class Settings {
 public:
  // From this process's environment.
  Settings();

  // A setting by its name in ogni.toml, tables with a point: "http.port" is OGNI_HTTP_PORT. Empty where absent.
  std::string text(std::string_view name) const;
  // Only "1", "true" and "yes" are.
  bool is_on(std::string_view name) const;

  const std::string& handler() const { return handler_; }
  const std::string& task_root() const { return task_root_; }
  // Where layers are: /opt.
  const std::string& opt() const { return opt_; }

  // The program of a command: a name with a slash lies below the task root unless it is absolute; one without is looked
  // for in the task root, its bin/, and search_path(). Empty: there is no such executable file.
  std::string find_program(std::string_view name) const;
  // Directories where interpreters are looked for.
  std::vector<std::string> search_path() const;

  // This process's variables less those that are Ogni's own ("OGNI_...") or belong to one invocation.
  std::vector<std::string> function_environment() const;

 private:
  std::map<std::string, std::string, std::less<>> file_;  // of ogni.toml
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

}  // namespace ogni::bootstrap
