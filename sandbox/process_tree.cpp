#include "sandbox/process_tree.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

#include "base/system.h"

namespace ogni::sandbox {

namespace {

constexpr std::size_t kProcessesMax = 65'536;
constexpr std::uint64_t kUsualSlots = 256;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// The numbers among a directory's entries.
std::vector<pid_t> numbers_in(const std::string& path) {
  std::vector<pid_t> numbers;
  const std::unique_ptr<DIR, CloseDirectory> stream(::opendir(path.c_str()));
  if (!stream) return numbers;
  while (const dirent* entry = ::readdir(stream.get())) {
    pid_t number = 0;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    const auto parsed = std::from_chars(entry->d_name, end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end && numbers.size() < kProcessesMax) numbers.push_back(number);
  }
  return numbers;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> found;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const pid_t task : numbers_in(tasks)) {
    const auto text = read_file(tasks + "/" + std::to_string(task) + "/children");
    if (!text) continue;
    std::istringstream numbers(*text);
    for (pid_t child = 0; numbers >> child;) found.push_back(child);
  }
  return found;
}

std::uint64_t number_after(std::string_view name, const std::string& text) {
  const std::size_t line = text.find(name);
  return line == std::string::npos ? 0 : std::strtoull(text.c_str() + line + name.size(), nullptr, 10);
}

std::uint64_t kibibytes_after(std::string_view name, const std::string& text) {
  return number_after(name, text) * 1024;
}

std::uint64_t pss_bytes(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/smaps_rollup", 16 * 1024);
  return text ? kibibytes_after("\nPss:", *text) : 0;
}

}  // namespace

std::vector<pid_t> find_children() { return children_of(::getpid()); }

std::vector<pid_t> find_descendants() {
  std::vector<pid_t> found = find_children();
  for (std::size_t next = 0; next < found.size() && found.size() < kProcessesMax; ++next) {
    for (const pid_t child : children_of(found[next])) found.push_back(child);
  }
  return found;
}

namespace {

void signal_all(Reach reach, int number) {
  if (reach == Reach::kNamespace) {
    if (::getpid() == 1) ::kill(-1, number);  // spares the caller; of no other process may this be said
    return;
  }
  for (const pid_t pid : find_descendants()) ::kill(pid, number);
}

// The state after the name in parentheses, which may hold any character.
bool runs(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat", 1024);
  const std::size_t name_end = text ? text->rfind(") ") : std::string::npos;
  if (name_end == std::string::npos) return false;
  const char state = text->c_str()[name_end + 2];
  return state == 'R' || state == 'S' || state == 'D';
}

bool none_runs(Reach reach) {
  const auto all = reach == Reach::kNamespace ? numbers_in("/proc") : find_descendants();
  return std::ranges::none_of(all, [](pid_t pid) { return pid != ::getpid() && runs(pid); });
}

}  // namespace

void kill_all(Reach reach) { signal_all(reach, SIGKILL); }

bool stop_all(Reach reach) {
  signal_all(reach, SIGSTOP);
  return none_runs(reach);
}

void continue_all(Reach reach) { signal_all(reach, SIGCONT); }

Resident sum_resident(Reach reach) {
  Resident sum;
  const pid_t self = ::getpid();
  for (const pid_t pid : reach == Reach::kNamespace ? numbers_in("/proc") : find_descendants()) {
    if (pid == self) continue;
    const auto text = read_file("/proc/" + std::to_string(pid) + "/status", 4096);
    if (!text) continue;
    sum.bytes += kibibytes_after("\nVmRSS:", *text);
    sum.page_table_bytes += kibibytes_after("\nVmPTE:", *text);
    const std::uint64_t slots = number_after("\nFDSize:", *text);
    sum.descriptor_slots += slots - std::min(slots, kUsualSlots);
  }
  return sum;
}

std::optional<std::uint64_t> sum_pss_bytes(Reach reach, const std::function<bool()>& goes_on) {
  std::uint64_t sum = 0;
  const pid_t self = ::getpid();
  for (const pid_t pid : reach == Reach::kNamespace ? numbers_in("/proc") : find_descendants()) {
    if (pid == self) continue;
    if (!goes_on()) return std::nullopt;
    sum += pss_bytes(pid);
  }
  return sum;
}

std::uint64_t sum_pss_bytes(Reach reach) {
  return sum_pss_bytes(reach, [] { return true; }).value_or(0);
}

}  // namespace ogni::sandbox
