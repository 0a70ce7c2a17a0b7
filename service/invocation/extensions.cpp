#include "service/invocation/extensions.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/system.h"
#include "base/text.h"

namespace ogni::service {
namespace {

constexpr std::size_t kNamesMax = 20;  // AWS starts ten

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

std::vector<std::string> extensions_of(std::span<const int> layers) {
  std::vector<std::string> names;
  for (const int layer : layers) {
    auto directory = open_at(layer, "extensions", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) continue;
    const int descriptor = std::move(*directory).release();
    const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(descriptor));
    if (!stream) {
      ::close(descriptor);
      continue;
    }
    while (const dirent* entry = names.size() < kNamesMax ? ::readdir(stream.get()) : nullptr) {
      struct stat status{};
      if (::fstatat(descriptor, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (S_ISREG(status.st_mode) && (status.st_mode & S_IXUSR) != 0) names.emplace_back(entry->d_name);
    }
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

std::string extensions_notice(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name);
  if (text.empty()) return text;
  return "ogni: Ogni does not start extensions yet, so these files of /opt/extensions do not run: " + text;
}

}  // namespace ogni::service
