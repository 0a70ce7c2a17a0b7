#include "bootstrap/company.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace ogni::bootstrap {
namespace {

std::string children_path(pid_t process) {
  const std::string number = std::to_string(process);
  return "/proc/" + number + "/task/" + number + "/children";
}

Descriptor open_file(const std::string& path) { return lift(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

// The whole of a file whose size is not known. False: it cannot be read.
bool read_from_start(int descriptor, std::string& text) {
  char buffer[1024];
  text.clear();
  while (true) {
    const ssize_t count = ::pread(descriptor, buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (count < 0) return false;
    text.append(buffer, static_cast<std::size_t>(count));
    if (static_cast<std::size_t>(count) < sizeof buffer) return true;
  }
}

void append_numbers(std::string_view text, std::vector<pid_t>& numbers) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    pid_t number = 0;
    const auto parsed = std::from_chars(at, end, number);
    if (parsed.ec == std::errc()) numbers.push_back(number);
    at = parsed.ptr + 1;
  }
}

}  // namespace

bool has_own_numbers() {
  char number[24];
  const ssize_t count = ::readlink("/proc/self", number, sizeof number);
  return count > 0 && std::string_view(number, static_cast<std::size_t>(count)) == std::to_string(::getpid());
}

Company::Company(pid_t worker) {
  if (has_own_numbers()) {
    of_worker_ = open_file(children_path(worker));
    own_ = open_file(children_path(::getpid()));
  }
  if (!is_listed()) load_ = open_file("/proc/loadavg");
  has_joined();
}

bool Company::has_joined() {
  std::string text;
  if (!is_listed()) {
    if (!load_ || !read_from_start(load_.get(), text)) return true;
    std::string newest = text.substr(text.rfind(' ') + 1);
    return std::exchange(newest_, std::move(newest)) != newest_;
  }
  std::vector<pid_t> processes;
  // In this order: the child of one that ends in between is this process's by then.
  for (const int list : {of_worker_.get(), own_.get()}) {
    if (!read_from_start(list, text)) return true;
    append_numbers(text, processes);
  }
  std::sort(processes.begin(), processes.end());
  const bool all_known = std::includes(processes_.begin(), processes_.end(), processes.begin(), processes.end());
  processes_ = std::move(processes);
  return !all_known;
}

}  // namespace ogni::bootstrap
