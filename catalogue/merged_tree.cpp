#include "catalogue/merged_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/system.h"
#include "catalogue/entry_path.h"
#include "catalogue/tree.h"

namespace ogni::catalogue {

namespace {

// A directory of a tree, opened for reading. One that its owner may not read is opened up for as long as this
// lives.
class ReadableDirectory {
 public:
  static Result<ReadableDirectory> open(int parent, const std::string& name, mode_t mode) {
    constexpr mode_t kNeeded = S_IRUSR | S_IXUSR;
    const bool closed = (mode & kNeeded) != kNeeded;
    if (closed && ::fchmodat(parent, name.c_str(), (mode & 07777) | kNeeded, 0) != 0) {
      return failure(Error::from_errno("open up a directory"));
    }
    auto opened = open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) return failure(std::move(opened).error());
    return ReadableDirectory(std::move(*opened), closed, mode & 07777);
  }
  ReadableDirectory(ReadableDirectory&&) noexcept = default;
  ReadableDirectory& operator=(ReadableDirectory&&) = delete;
  ~ReadableDirectory() {
    if (directory_ && closed_) (void)::fchmod(directory_.get(), mode_);
  }
  int get() const { return directory_.get(); }

 private:
  ReadableDirectory(Fd directory, bool closed, mode_t mode)
      : directory_(std::move(directory)), closed_(closed), mode_(mode) {}
  Fd directory_;
  bool closed_;
  mode_t mode_;
};

Result<struct stat> status_of(int directory, const std::string& name) {
  struct stat status{};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return failure(Error::from_errno("stat a layer's file"));
  }
  return status;
}

Result<void> copy_link(int from, int to, const std::string& name) {
  std::array<char, kLinkTargetBytesMax + 1> target{};
  const ssize_t length = ::readlinkat(from, name.c_str(), target.data(), target.size() - 1);
  if (length < 0) return failure(Error::from_errno("read a layer's link"));
  if (::symlinkat(target.data(), to, name.c_str()) != 0) return failure(disk_error("copy a layer's link"));
  return {};
}

Result<void> copy_file(int from, int to, const std::string& name, const struct stat& status) {
  auto source = open_at(from, name, O_RDONLY | O_NOFOLLOW);
  if (!source) return failure(std::move(source).error());
  auto copy = open_at(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!copy) return failure(disk_error(std::move(copy).error()));
  std::array<char, 64 * 1024> chunk;
  for (;;) {
    const ssize_t count = ::read(source->get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(Error::from_errno("read a layer's file"));
    if (count == 0) break;
    auto written = write_all(copy->get(), {chunk.data(), static_cast<std::size_t>(count)});
    if (!written) return failure(disk_error(std::move(written).error()));
  }
  const std::array<timespec, 2> times{status.st_atim, status.st_mtim};
  if (::futimens(copy->get(), times.data()) != 0 || ::fchmod(copy->get(), status.st_mode & 07777) != 0) {
    return failure(disk_error("copy a layer's file"));
  }
  return {};
}

Result<void> link_or_copy(int from, int to, const std::string& name, const struct stat& status) {
  if (::linkat(from, name.c_str(), to, name.c_str(), 0) == 0) return {};
  if (errno != EXDEV && errno != EMLINK && errno != EPERM) return failure(disk_error("link a layer's file"));
  return S_ISLNK(status.st_mode) ? copy_link(from, to, name) : copy_file(from, to, name, status);
}

class Merger {
 public:
  explicit Merger(int root) : root_(root) {}

  Result<void> add(int tree) {
    struct stat status{};
    if (::fstat(tree, &status) != 0) return failure(Error::from_errno("stat a layer"));
    attributes_.set("", status.st_mode & 07777, std::nullopt);
    return merge(tree, root_, "", 0);
  }
  Result<void> finish() const { return attributes_.apply(root_); }

 private:
  Result<void> merge(int from, int to, const std::string& path, std::size_t depth) {
    if (depth > kPathDepthMax) return failure(ErrorCode::kInternal, "merge layers: a tree is too deep");
    auto names = list_directory(from);
    if (!names) return failure(std::move(names).error());
    for (const auto& name : *names) {
      auto status = status_of(from, name);
      if (!status) return failure(std::move(status).error());
      const std::string below = path.empty() ? name : path + '/' + name;
      auto merged = S_ISDIR(status->st_mode) ? merge_directory(from, to, name, *status, below, depth)
                                             : replace(from, to, name, *status, below);
      if (!merged) return merged;
    }
    return {};
  }

  Result<void> replace(int from, int to, const std::string& name, const struct stat& status, const std::string& path) {
    attributes_.forget(path);
    if (auto removed = remove_tree(to, name); !removed) return removed;
    return link_or_copy(from, to, name, status);
  }

  Result<void> merge_directory(int from, int to, const std::string& name, const struct stat& status,
                               const std::string& path, std::size_t depth) {
    struct stat present{};
    const bool exists = ::fstatat(to, name.c_str(), &present, AT_SYMLINK_NOFOLLOW) == 0;
    if (!exists || !S_ISDIR(present.st_mode)) {
      if (auto removed = remove_tree(to, name); !removed) return removed;
      if (::mkdirat(to, name.c_str(), 0700) != 0) return failure(disk_error("make a directory of merged layers"));
    }
    attributes_.set(path, status.st_mode & 07777, status.st_mtim);
    auto source = ReadableDirectory::open(from, name, status.st_mode);
    if (!source) return failure(std::move(source).error());
    auto target = open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!target) return failure(std::move(target).error());
    return merge(source->get(), target->get(), path, depth + 1);
  }

  int root_;
  DirectoryAttributes attributes_;
};

}  // namespace

Result<void> merge_trees(std::span<const Fd> trees, int destination) {
  Merger merger(destination);
  for (const Fd& tree : trees) {
    if (auto added = merger.add(tree.get()); !added) return added;
  }
  return merger.finish();
}

}  // namespace ogni::catalogue
