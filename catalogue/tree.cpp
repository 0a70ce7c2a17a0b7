#include "catalogue/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "base/system.h"

namespace ogni::catalogue {

namespace {

// More than any tree of ours has (kPathDepthMax and a few), so that a removal never runs out of descriptors
// or stack.
constexpr int kDepthMax = 256;
struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

bool is_permission(const Error& error) { return error.system_error() == EACCES || error.system_error() == EPERM; }

Result<Fd> open_directory(int parent, const std::string& name) {
  return open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// Opens a directory of ours that is about to be removed, whatever its mode.
Result<Fd> open_to_remove(int parent, const std::string& name) {
  auto opened = open_directory(parent, name);
  if (!opened && is_permission(opened.error())) {
    if (::fchmodat(parent, name.c_str(), S_IRWXU, 0) != 0)
      return failure(Error::from_errno("make a directory removable"));
    opened = open_directory(parent, name);
  }
  if (!opened) return opened;
  struct stat status{};
  if (::fstat(opened->get(), &status) != 0) return failure(Error::from_errno("stat a directory"));
  if ((status.st_mode & S_IRWXU) != S_IRWXU && ::fchmod(opened->get(), S_IRWXU) != 0) {
    return failure(Error::from_errno("make a directory removable"));
  }
  return opened;
}

Result<void> remove_below(int parent, const std::string& name, int depth) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return failure(Error::from_errno("remove a file"));
  if (depth >= kDepthMax) return failure(ErrorCode::kInternal, "remove a tree: it is too deep");
  {
    auto directory = open_to_remove(parent, name);
    if (!directory) return failure(std::move(directory).error());
    auto names = list_directory(directory->get());
    if (!names) return failure(std::move(names).error());
    for (const auto& child : *names) {
      if (auto removed = remove_below(directory->get(), child, depth + 1); !removed) return removed;
    }
  }
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  return failure(Error::from_errno("remove a directory"));
}

}  // namespace

Error disk_error(std::string_view doing, int err) {
  if (err == ENOSPC || err == EDQUOT) return {ErrorCode::kLimit, "no space left on the device"};
  return Error::from_errno(doing, err);
}

Error disk_error(Error error) {
  if (error.system_error() == ENOSPC || error.system_error() == EDQUOT) return disk_error("", error.system_error());
  return error;
}

Result<std::vector<std::string>> list_directory(int directory) {
  auto own = open_at(directory, ".", O_RDONLY | O_DIRECTORY);
  if (!own) return failure(std::move(own).error());
  std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(own->get()));
  if (!stream) return failure(Error::from_errno("read a directory"));
  (void)std::move(*own).release();  // the stream's now
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr && errno != 0) return failure(Error::from_errno("read a directory"));
    if (entry == nullptr) return names;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
}

Result<void> remove_tree(int parent, const std::string& name) { return remove_below(parent, name, 0); }

Result<void> sync_tree(int directory) {
  if (::syncfs(directory) != 0) return failure(disk_error("sync the file system"));
  return {};
}

void DirectoryAttributes::set(const std::string& path, mode_t mode, const std::optional<timespec>& modified) {
  attributes_.insert_or_assign(path, Attributes{mode, modified});
}

void DirectoryAttributes::forget(const std::string& path) {
  attributes_.erase(path);
  const std::string below = path + '/';
  auto first = attributes_.lower_bound(below);
  auto last = first;
  while (last != attributes_.end() && last->first.starts_with(below)) ++last;
  attributes_.erase(first, last);
}

Result<void> DirectoryAttributes::apply(int root) const {
  // In reverse order of names every directory comes after all that is below it.
  for (auto entry = attributes_.rbegin(); entry != attributes_.rend(); ++entry) {
    const auto& [path, attributes] = *entry;
    auto directory = open_directory(root, path.empty() ? "." : path);
    if (!directory) return failure(std::move(directory).error());
    if (attributes.modified) {
      const std::array<timespec, 2> times{*attributes.modified, *attributes.modified};
      if (::futimens(directory->get(), times.data()) != 0) return failure(disk_error("set a directory's time"));
    }
    if (::fchmod(directory->get(), attributes.mode) != 0) return failure(disk_error("set a directory's mode"));
  }
  return {};
}

}  // namespace ogni::catalogue
