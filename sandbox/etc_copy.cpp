#include "sandbox/etc_copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/system.h"
#include "sandbox/etc_files.h"

namespace ogni::sandbox {

namespace {

// Bounds of what is copied in all; a full Debian desktop has about 2,000 entries and 3 MB of these.
constexpr std::size_t kEntriesMax = 20'000;
constexpr std::size_t kBytesMax = 32 << 20;
constexpr int kDepthMax = 8;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::vector<std::string> names_in(int directory) {
  std::vector<std::string> names;
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return names;
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(copy));
  if (!stream) {
    ::close(copy);
    return names;
  }
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && names.size() < kEntriesMax) names.push_back(name);
  }
  return names;
}

class Copier {
 public:
  // Copies `name` from one open directory to another; what exists already is kept.
  Result<void> copy(int from, int to, const std::string& name, int depth) {
    struct stat status{};
    if (depth > kDepthMax || ++entries_ > kEntriesMax) return {};
    if (::fstatat(from, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return {};
    if (S_ISLNK(status.st_mode)) return copy_link(from, to, name);
    if ((status.st_mode & S_IROTH) == 0) return {};
    if (S_ISREG(status.st_mode)) return copy_file(from, to, name, status);
    if (S_ISDIR(status.st_mode) && (status.st_mode & S_IXOTH) != 0) return copy_directory(from, to, name, depth);
    return {};
  }

 private:
  static Result<void> copy_link(int from, int to, const std::string& name) {
    std::array<char, 4096> target;
    const ssize_t size = ::readlinkat(from, name.c_str(), target.data(), target.size());
    if (size < 0 || size == static_cast<ssize_t>(target.size())) return {};
    const std::string text(target.data(), static_cast<std::size_t>(size));
    if (::symlinkat(text.c_str(), to, name.c_str()) != 0 && errno != EEXIST) {
      return failure(Error::from_errno("symlink in the template's /etc"));
    }
    return {};
  }

  Result<void> copy_file(int from, int to, const std::string& name, const struct stat& status) {
    bytes_ += static_cast<std::size_t>(status.st_size);
    if (bytes_ > kBytesMax) return {};
    auto content = read_file_at(from, name, kBytesMax);
    if (!content) return {};
    auto file = open_at(to, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0644 | (status.st_mode & 0111));
    if (!file) return file.error().system_error() == EEXIST ? Result<void>() : failure(std::move(file).error());
    return write_all(file->get(), *content);
  }

  Result<void> copy_directory(int from, int to, const std::string& name, int depth) {
    if (::mkdirat(to, name.c_str(), 0755) != 0 && errno != EEXIST) {
      return failure(Error::from_errno("mkdir in the template's /etc"));
    }
    const auto source = open_at(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!source) return {};
    auto target = open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!target) return failure(std::move(target).error());
    for (const std::string& entry : names_in(source->get())) {
      if (auto copied = copy(source->get(), target->get(), entry, depth + 1); !copied) return copied;
    }
    return {};
  }

  std::size_t entries_ = 0;
  std::size_t bytes_ = 0;
};

// Copies "a/b/c" and makes the directories above it.
Result<void> copy_path(Copier& copier, int host, int etc, std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return copier.copy(host, etc, std::string(path), 0);
  const std::string parent(path.substr(0, slash));
  const auto source = open_at(host, parent, O_RDONLY | O_DIRECTORY);
  if (!source) return {};
  if (::mkdirat(etc, parent.c_str(), 0755) != 0 && errno != EEXIST) {
    return failure(Error::from_errno("mkdir in the template's /etc"));
  }
  auto target = open_at(etc, parent, O_RDONLY | O_DIRECTORY);
  if (!target) return failure(std::move(target).error());
  return copy_path(copier, source->get(), target->get(), path.substr(slash + 1));
}

}  // namespace

Result<void> write_made_up_etc(int etc) {
  for (const MadeUpFile& made_up : kMadeUpEtc) {
    auto file = open_at(etc, std::string(made_up.name), O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (!file) return failure(std::move(file).error());
    if (auto written = write_all(file->get(), made_up.content); !written) return written;
  }
  return {};
}

Result<void> copy_host_etc(int etc) {
  const auto host = open_file("/etc", O_RDONLY | O_DIRECTORY);
  if (!host) return {};
  Copier copier;
  for (const std::string_view path : kHostEtc) {
    if (auto copied = copy_path(copier, host->get(), etc, path); !copied) return copied;
  }
  for (const std::string& name : names_in(host->get())) {
    const bool wanted = std::ranges::any_of(kHostEtcPrefixes, [&](auto prefix) { return name.starts_with(prefix); });
    if (!wanted) continue;
    if (auto copied = copier.copy(host->get(), etc, name, 0); !copied) return copied;
  }
  return {};
}

}  // namespace ogni::sandbox
