#include "sandbox/code_mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/system.h"
#include "sandbox/kernel.h"

namespace ogni::sandbox {

namespace {

constexpr auto kAttributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
// The launcher has no use for the host's /sys in here.
constexpr const char* kPlace = "/sys";
constexpr const char* kEmpty = "/sys/empty";
constexpr const char* kSkeleton = "/sys/skeleton";
constexpr std::size_t kKeptMax = 192;

std::string name_of(std::uint64_t place) { return std::string(kPlace) + "/" + std::to_string(place); }

// The daemon's descriptor stands for a directory in the daemon's mount namespace, from which no tree can be cloned. So
// its path is walked again in the mirror of the host, and what is found there must be the same directory.
Result<Fd> reopen(int descriptor) {
  std::array<char, 4096> path;
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  if (size <= 0 || size == static_cast<ssize_t>(path.size())) return failure(Error::from_errno("readlink"));
  auto directory = open_file(std::string(path.data(), static_cast<std::size_t>(size)), O_PATH | O_DIRECTORY);
  if (!directory) return failure(std::move(directory).error());
  struct stat wanted{}, found{};
  if (::fstat(descriptor, &wanted) != 0 || ::fstat(directory->get(), &found) != 0) {
    return failure(Error::from_errno("fstat"));
  }
  if (wanted.st_dev != found.st_dev || wanted.st_ino != found.st_ino) {
    return failure(ErrorCode::kNotFound, "the directory is not where it was");
  }
  return directory;
}

Result<Fd> bind(int directory) {
  auto tree = clone_tree(directory, "", Depth::kTopOnly);
  if (!tree) return tree;
  if (auto sealed = seal_tree(tree->get(), kAttributes, Depth::kTopOnly); !sealed) {
    return failure(std::move(sealed).error());
  }
  return tree;
}

}  // namespace

Result<CodeMounts> CodeMounts::create(SharedMemory shared_memory) {
  const std::array options = {FileSystemOption{"mode", "0700"}, FileSystemOption{"size", "1m"}};
  auto tmpfs = make_file_system("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (!tmpfs) return failure(std::move(tmpfs).error());
  if (auto attached = attach_tree(tmpfs->get(), AT_FDCWD, kPlace); !attached) {
    return failure(std::move(attached).error());
  }
  if (::mkdir(kEmpty, 0755) != 0) return failure(Error::from_errno("mkdir"));
  return CodeMounts(shared_memory);
}

Result<Fd> CodeMounts::copy(const Kept& kept) const {
  return clone_tree(AT_FDCWD, name_of(kept.place), kept.kind == Kind::kRoot ? Depth::kRecursive : Depth::kTopOnly);
}

// Not before somebody needs it: no start, and no cold start on the host's files, pays for it.
Result<void> CodeMounts::have_skeleton() {
  if (has_skeleton_) return {};
  if (::mkdir(kSkeleton, 0755) != 0 && errno != EEXIST) return failure(Error::from_errno("mkdir"));
  auto skeleton = open_file(kSkeleton, O_RDONLY | O_DIRECTORY);
  if (!skeleton) return failure(std::move(skeleton).error());
  if (auto made = make_skeleton(skeleton->get(), shared_memory_); !made) return made;
  has_skeleton_ = true;
  return {};
}

Result<void> CodeMounts::keep(Kind kind, Key key, std::vector<Fd> directories) {
  std::string lower;
  if (kind == Kind::kRoot) {
    if (auto there = have_skeleton(); !there) return there;
    lower = std::string(kSkeleton) + ":";
  }
  for (const Fd& directory : directories) lower += "/proc/self/fd/" + std::to_string(directory.get()) + ":";
  const std::array options = {FileSystemOption{"source", "code"}, FileSystemOption{"lowerdir", lower + kEmpty}};
  auto overlay = make_file_system("overlay", options, kAttributes);
  if (!overlay) return failure(std::move(overlay).error());
  Kept kept{.kind = kind, .key = std::move(key), .directories = std::move(directories), .place = ++places_};
  const std::string name = name_of(kept.place);
  if (::mkdir(name.c_str(), 0700) != 0) return failure(Error::from_errno("mkdir"));
  if (auto attached = attach_tree(overlay->get(), AT_FDCWD, name); !attached) {
    ::rmdir(name.c_str());
    return attached;
  }
  if (kind == Kind::kRoot) {
    auto bound = bind_devices(overlay->get());
    if (!bound) {
      ::umount2(name.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
      ::rmdir(name.c_str());
      return bound;
    }
  }
  if (kept_.size() >= kKeptMax) drop(std::ranges::min_element(kept_, {}, &Kept::used));
  kept_.push_back(std::move(kept));
  return {};
}

void CodeMounts::drop(std::vector<Kept>::iterator kept) {
  const std::string name = name_of(kept->place);
  ::umount2(name.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  ::rmdir(name.c_str());
  kept_.erase(kept);
}

// Code that was deleted should not take up the disk until others have pushed it out.
void CodeMounts::drop_deleted() {
  const auto is_deleted = [](const Fd& directory) {
    struct stat status{};
    return ::fstat(directory.get(), &status) == 0 && status.st_nlink == 0;
  };
  for (auto kept = kept_.begin(); kept != kept_.end();) {
    if (!std::ranges::any_of(kept->directories, is_deleted)) {
      ++kept;
      continue;
    }
    const auto index = kept - kept_.begin();
    drop(kept);
    kept = kept_.begin() + index;
  }
}

Result<CodeMounts::Kept*> CodeMounts::find_or_keep(Kind kind, std::span<const int> directories, int owner) {
  Key key;
  const auto add = [&](int directory) {
    struct stat status{};
    if (::fstat(directory, &status) != 0) return false;
    key.emplace_back(status.st_dev, status.st_ino);
    return true;
  };
  if (!std::ranges::all_of(directories, add) || (owner >= 0 && !add(owner))) {
    return failure(Error::from_errno("fstat"));
  }
  auto found = std::ranges::find_if(kept_, [&](const Kept& kept) { return kept.kind == kind && kept.key == key; });
  if (found == kept_.end()) {
    drop_deleted();
    std::vector<Fd> opened;
    for (const int directory : directories) {
      auto again = reopen(directory);
      if (!again) return failure(std::move(again).error());
      opened.push_back(std::move(*again));
    }
    if (auto kept = keep(kind, std::move(key), std::move(opened)); !kept) return failure(std::move(kept).error());
    found = std::prev(kept_.end());
  }
  found->used = ++uses_;
  return &*found;
}

Result<Fd> CodeMounts::take(std::span<const int> directories, int owner) {
  auto kept = find_or_keep(Kind::kCode, directories, owner);
  if (kept) return copy(**kept);
  if (directories.size() != 1) return failure(std::move(kept).error().within("merge layers"));
  auto again = reopen(directories.front());
  if (!again) return again;
  return bind(again->get());
}

Result<Fd> CodeMounts::take_root(int directory) {
  auto kept = find_or_keep(Kind::kRoot, std::span(&directory, 1), -1);
  if (!kept) return failure(std::move(kept).error());
  return copy(**kept);
}

}  // namespace ogni::sandbox
