#include "bootstrap/exec_wrapper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bootstrap/descriptor.h"

namespace ogni::bootstrap {
namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool is_text(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char begin[4] = {};
  const ssize_t count = file ? ::read(file.get(), begin, sizeof begin) : 0;
  const std::string_view text(begin, count > 0 ? static_cast<std::size_t>(count) : 0);
  return file && !text.starts_with("#!") &&
         !text.starts_with(
             "\x7f"
             "ELF");
}

}  // namespace

std::string exec_wrapper() {
  if (!variable("AWS_EXECUTION_ENV").starts_with("AWS_Lambda_")) return {};
  return std::string(variable("AWS_LAMBDA_EXEC_WRAPPER"));
}

int wrapper_status(const std::string& wrapper) {
  struct stat status = {};
  if (::stat(wrapper.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    std::fprintf(stderr, "%s: does not exist\n", wrapper.c_str());
    return 127;
  }
  if (::access(wrapper.c_str(), X_OK) != 0) {
    std::fprintf(stderr, "%s: is not an executable\n", wrapper.c_str());
    return 126;
  }
  return 0;
}

void wrap(const std::string& wrapper, WorkerCommand& command) {
  command.arguments.insert(command.arguments.begin(), wrapper);
  if (is_text(wrapper)) command.arguments.insert(command.arguments.begin(), "/bin/sh");
}

}  // namespace ogni::bootstrap
