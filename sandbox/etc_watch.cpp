#include "sandbox/etc_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "sandbox/etc_files.h"

namespace ogni::sandbox {

namespace {

constexpr std::uint32_t kChanges =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR;
constexpr std::size_t kDirectoriesMax = 4'000;
constexpr int kDepthMax = 8;  // as the copy has
constexpr int kReadsMax = 64;
constexpr std::size_t kReadBytes = 16'384;

bool has_host_prefix(std::string_view name) {
  return std::ranges::any_of(kHostEtcPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// Whether the entry `name` of /etc is copied, or a directory above something that is.
bool is_copied(std::string_view name) {
  return has_host_prefix(name) ||
         std::ranges::any_of(kHostEtc, [&](std::string_view path) { return path.substr(0, path.find('/')) == name; });
}

}  // namespace

EtcWatch::EtcWatch() : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) { extend(); }

void EtcWatch::extend() {
  if (!inotify_) return;
  directories_ = 0;
  etc_ = ::inotify_add_watch(inotify_.get(), "/etc", kChanges);
  std::error_code error;
  std::filesystem::directory_iterator entries("/etc", error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    if (is_copied(entries->path().filename().native())) watch_tree(*entries, 1);
  }
}

// Passes over files, links and what cannot be read. The directory entry holds the type, so that a file costs no system
// call.
void EtcWatch::watch_tree(const std::filesystem::directory_entry& entry, int depth) {
  std::error_code error;
  if (entry.is_symlink(error) || !entry.is_directory(error)) return;
  const std::filesystem::path& path = entry.path();
  if (depth > kDepthMax || ++directories_ > kDirectoriesMax) return;
  if (::inotify_add_watch(inotify_.get(), path.c_str(), kChanges) < 0) return;
  std::filesystem::directory_iterator entries(path, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    watch_tree(*entries, depth + 1);
  }
}

bool EtcWatch::take_change() {
  bool changed = false;
  alignas(inotify_event) std::array<char, kReadBytes> events;
  for (int reads = 0; inotify_ && reads < kReadsMax; ++reads) {
    const ssize_t size = ::read(inotify_.get(), events.data(), events.size());
    if (size <= 0) break;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(size);) {
      inotify_event event{};
      std::memcpy(&event, events.data() + at, sizeof event);
      const char* name = event.len > 0 ? events.data() + at + sizeof event : "";
      changed = changed || event.wd != etc_ || is_copied(name);
      at += sizeof event + event.len;
    }
  }
  return changed;
}

}  // namespace ogni::sandbox
