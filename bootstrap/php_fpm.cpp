#include "bootstrap/php_fpm.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace ogni::bootstrap {
namespace {

constexpr const char* kNames[] = {"php-fpm", "php-fpm8.4", "php-fpm8.3", "php-fpm8.2", "php-fpm8.1", "php-fpm7.4"};
constexpr const char* kSystemDirectories[] = {"/usr/local/sbin", "/usr/sbin"};

std::string find(const Settings& settings) {
  std::vector<std::string> directories = settings.search_path();
  directories.push_back(settings.opt() + "/sbin");
  for (const char* directory : kSystemDirectories) directories.emplace_back(directory);
  for (const char* name : kNames) {
    for (const std::string& directory : directories) {
      std::string path = directory + "/" + name;
      if (is_executable(path)) return path;
    }
  }
  return {};
}

// One process, since an environment has one invocation at a time. The variables and the log are the function's.
std::string configuration(const std::string& directory) {
  std::string text =
      "[global]\nerror_log = /proc/self/fd/2\nlog_level = warning\nlog_limit = 65536\ndaemonize = no\n"
      "[function]\npm = static\npm.max_children = 1\nclear_env = no\ncatch_workers_output = yes\n"
      "decorate_workers_output = no\nlisten = " +
      directory + "/socket\nphp_value[session.save_path] = " + directory + "/sessions\n";
  if (::geteuid() == 0) text += "user = root\ngroup = root\n";
  return text;
}

}  // namespace

bool prepare_php_fpm(const Settings& settings, PhpFpm& fpm, std::string& problem) {
  const std::string program = find(settings);
  if (program.empty()) {
    problem = "there is no php-fpm in " + settings.opt() + "/bin, " + settings.opt() + "/sbin, PATH or /usr/sbin";
    return false;
  }
  const char* temporary = std::getenv("TMPDIR");
  std::string directory = std::string(temporary == nullptr ? "/tmp" : temporary) + "/ogni-fpm-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) {
    problem = "php-fpm's configuration cannot be written to " + directory;
    return false;
  }
  if (::mkdir((directory + "/sessions").c_str(), 0700) != 0) {
    problem = "php-fpm's sessions cannot be kept in " + directory;
    return false;
  }
  const std::string path = directory + "/php-fpm.conf";
  const std::string text = configuration(directory);
  std::FILE* file = std::fopen(path.c_str(), "wxe");
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file == nullptr || std::fclose(file) != 0 || !written) {
    problem = "php-fpm's configuration cannot be written to " + path;
    return false;
  }
  // What PHP logs comes to php-fpm's stderr, from where it is the function's log; over FastCGI it would come again.
  fpm.command = {program, "--nodaemonize", "--fpm-config", path, "-d", "fastcgi.logging=0"};
  if (::geteuid() == 0) fpm.command.emplace_back("--allow-to-run-as-root");
  fpm.address = "unix:" + directory + "/socket";
  return true;
}

}  // namespace ogni::bootstrap
