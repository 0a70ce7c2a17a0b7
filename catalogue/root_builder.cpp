#include "catalogue/root_builder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/system.h"
#include "catalogue/entry_path.h"
#include "catalogue/tree.h"

namespace ogni::catalogue {

namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kBookkeeping = ".wh..wh.";
constexpr int kDepthMax = 256;
constexpr int kTriesMax = 100;

auto refuse(const char* why) { return failure(ErrorCode::kInvalidArgument, why); }

// The directory at `path` as a process with `root` as its root would find it.
Result<Fd> open_within(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  // A rename anywhere on the host meanwhile makes the kernel ask for another try.
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const long fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return failure(Error::from_errno("open a directory"));
}

// How deep a directory lies, by the kernel's name for it; nothing where that is too long to be told.
std::optional<std::ptrdiff_t> depth_of(int directory) {
  std::array<char, 4096> path;
  const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(directory)).c_str(), path.data(), path.size());
  if (size < 0 || size == static_cast<ssize_t>(path.size())) return std::nullopt;
  return std::count(path.data(), path.data() + size, '/');
}

Error creation_error(Error error) {
  const int err = error.system_error();
  if (err == ENAMETOOLONG || err == EILSEQ || err == EINVAL) {
    return {ErrorCode::kInvalidArgument, "its name is not one the file system takes"};
  }
  return disk_error(std::move(error));
}

}  // namespace

Result<LayerName> classify_layer_name(std::string_view name, std::string& hidden) {
  if (!name.starts_with(kWhiteout)) return LayerName::kEntry;
  if (name == kOpaque) return LayerName::kOpaque;
  if (name.starts_with(kBookkeeping)) return LayerName::kOtherBookkeeping;
  hidden = std::string(name.substr(kWhiteout.size()));
  if (hidden.empty() || hidden == "." || hidden == ".." || hidden.find('/') != std::string::npos) {
    return refuse("the whiteout hides no name");
  }
  return LayerName::kWhiteout;
}

void RootBuilder::begin_layer() {
  is_layered_ = true;
  marked_.clear();
}

Result<void> RootBuilder::count_entry() {
  if (++content_.entries <= limits_.entries_max) return {};
  return failure(ErrorCode::kTooLarge, "there are more than " + std::to_string(limits_.entries_max) + " entries");
}

Result<void> RootBuilder::count_bytes(std::uint64_t bytes) {
  if (bytes <= limits_.bytes_max - content_.bytes) {
    content_.bytes += bytes;
    return {};
  }
  return failure(ErrorCode::kTooLarge, "there are more than " + std::to_string(limits_.bytes_max) + " bytes");
}

void RootBuilder::mark(int parent, const std::string& name) {
  struct stat status{};
  if (is_layered_ && ::fstat(parent, &status) == 0) marked_.emplace(status.st_ino, name);
}

bool RootBuilder::is_marked(int parent, const std::string& name) const {
  struct stat status{};
  return ::fstat(parent, &status) == 0 && marked_.contains({status.st_ino, name});
}

Result<void> RootBuilder::make_directory(int parent, const std::string& name) {
  if (auto counted = count_entry(); !counted) return counted;
  // A way through links may be longer than its name.
  const auto depth = depth_of(parent);
  const auto top = depth_of(root_);
  if (!depth || !top || *depth - *top >= static_cast<std::ptrdiff_t>(kPathDepthMax)) {
    return refuse("there are too many directories in each other");
  }
  if (::mkdirat(parent, name.c_str(), 0755) != 0) {
    if (errno == EEXIST) return refuse("its path goes through what is no directory");
    return failure(creation_error(Error::from_errno("make a directory")));
  }
  if (::fchmodat(parent, name.c_str(), 0755, 0) != 0) return failure(disk_error("set a directory's mode"));
  mark(parent, name);
  return {};
}

// The directory with these names, links followed within the root.
Result<Fd> RootBuilder::open_parent(const std::vector<std::string>& directories, Missing missing) {
  std::string path;
  for (const auto& name : directories) path += (path.empty() ? "" : "/") + name;
  auto opened = open_within(root_, path.empty() ? "." : path);
  if (opened || opened.error().system_error() != ENOENT || missing == Missing::kIsNothing) {
    if (opened) return opened;
    const int err = opened.error().system_error();
    if (err == ENOTDIR || err == ELOOP) return refuse("its path goes through what is no directory");
    return failure(err == ENOENT ? std::move(opened).error() : creation_error(std::move(opened).error()));
  }
  auto current = open_within(root_, ".");
  std::string walked;
  for (const auto& name : directories) {
    if (!current) break;
    walked += (walked.empty() ? "" : "/") + name;
    auto next = open_within(root_, walked);
    if (!next && next.error().system_error() == ENOENT) {
      if (auto made = make_directory(current->get(), name); !made) return failure(std::move(made).error());
      next = open_within(root_, walked);
    }
    current = std::move(next);
  }
  if (!current && (current.error().system_error() == ENOTDIR || current.error().system_error() == ELOOP)) {
    return refuse("its path goes through what is no directory");
  }
  return current;
}

Result<std::optional<RootBuilder::Place>> RootBuilder::find_place(std::string_view path, Missing missing) {
  auto names = parse_entry_path(path);
  if (!names) return failure(std::move(names).error());
  if (names->empty()) return Place{.parent = root_, .name = {}};
  Place place{.parent = -1, .name = std::move(names->back())};
  names->pop_back();
  std::string parent_path;
  for (const auto& name : *names) parent_path += name + "/";
  if (!parent_ || parent_path != parent_path_) {
    auto parent = open_parent(*names, missing);
    if (!parent && missing == Missing::kIsNothing && parent.error().system_error() == ENOENT) return std::nullopt;
    if (!parent) return failure(std::move(parent).error());
    parent_ = std::move(*parent);
    parent_path_ = std::move(parent_path);
  }
  place.parent = parent_.get();
  return place;
}

// Takes away what is in an entry's place. The last of several entries with one name counts.
Result<void> RootBuilder::make_way(const Place& place) {
  if (place.name.empty()) return refuse("it stands for the root");
  struct stat status{};
  if (::fstatat(place.parent, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return failure(creation_error(Error::from_errno("look for it")));
  }
  return remove_tree(place.parent, place.name);
}

Result<void> RootBuilder::add_directory(std::string_view path) {
  auto place = find_place(path, Missing::kMake);
  if (!place) return failure(std::move(place).error());
  const auto& [parent, name] = **place;
  if (name.empty()) return count_entry();
  struct stat status{};
  const bool is_there = ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (is_there && S_ISDIR(status.st_mode)) {
    mark(parent, name);
    return count_entry();
  }
  if (is_there) {
    if (auto cleared = make_way(**place); !cleared) return cleared;
  }
  return make_directory(parent, name);
}

Result<Fd> RootBuilder::add_file(std::string_view path) {
  auto place = find_place(path, Missing::kMake);
  if (!place) return failure(std::move(place).error());
  if (auto counted = count_entry(); !counted) return failure(std::move(counted).error());
  if (auto cleared = make_way(**place); !cleared) return failure(std::move(cleared).error());
  auto file = open_at((*place)->parent, (*place)->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!file) return failure(creation_error(std::move(file).error()));
  mark((*place)->parent, (*place)->name);
  return file;
}

Result<void> RootBuilder::finish_file(const Fd& file, mode_t mode, const std::optional<timespec>& modified) {
  if (modified) {  // an interpreter may compare it with what it has compiled
    const std::array<timespec, 2> times{*modified, *modified};
    if (::futimens(file.get(), times.data()) != 0) return failure(disk_error("set its time"));
  }
  if (::fchmod(file.get(), (mode & 0111) != 0 ? 0755 : 0644) != 0) return failure(disk_error("set its mode"));
  return {};
}

Result<void> RootBuilder::add_symbolic_link(std::string_view path, std::string_view target) {
  if (target.empty() || target.size() > kPathBytesMax || target.find('\0') != std::string_view::npos) {
    return refuse("the link's target is none");
  }
  auto place = find_place(path, Missing::kMake);
  if (!place) return failure(std::move(place).error());
  if (auto counted = count_entry(); !counted) return counted;
  if (auto counted = count_bytes(target.size()); !counted) return counted;
  if (auto cleared = make_way(**place); !cleared) return cleared;
  if (::symlinkat(std::string(target).c_str(), (*place)->parent, (*place)->name.c_str()) != 0) {
    return failure(creation_error(Error::from_errno("make a link")));
  }
  mark((*place)->parent, (*place)->name);
  return {};
}

Result<void> RootBuilder::add_hard_link(std::string_view path, std::string_view target) {
  auto names = parse_entry_path(target);
  if (!names || names->empty()) return refuse("the hard link's target is outside, or the root");
  const std::string last = std::move(names->back());
  names->pop_back();
  auto directory = open_parent(*names, Missing::kIsNothing);
  struct stat status{};
  if (!directory || ::fstatat(directory->get(), last.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return refuse("the hard link's target is not there");
  }
  if (S_ISDIR(status.st_mode)) return refuse("the hard link's target is a directory");
  auto place = find_place(path, Missing::kMake);
  if (!place) return failure(std::move(place).error());
  if (auto counted = count_entry(); !counted) return counted;
  struct stat there{};
  const auto& [parent, name] = **place;
  if (!name.empty() && ::fstatat(parent, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
      there.st_ino == status.st_ino) {
    mark(parent, name);
    return {};  // to itself
  }
  if (auto cleared = make_way(**place); !cleared) return cleared;
  if (::linkat(directory->get(), last.c_str(), parent, name.c_str(), 0) != 0) {
    if (errno == ENOENT) return refuse("the hard link's target is below itself");
    if (errno == EMLINK) return refuse("the file has too many links");
    return failure(creation_error(Error::from_errno("make a hard link")));
  }
  mark(parent, name);
  return {};
}

// Removes what is not of this layer. A directory that holds some of this layer stays.
Result<void> RootBuilder::hide(int parent, const std::string& name, int depth) {
  if (depth > kDepthMax) return failure(ErrorCode::kInternal, "hide a tree: it is too deep");
  struct stat status{};
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return {};
  const bool is_ours = is_marked(parent, name);
  if (!S_ISDIR(status.st_mode)) return is_ours ? Result<void>() : remove_tree(parent, name);
  {
    auto directory = open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return failure(std::move(directory).error());
    if (auto hidden = hide_below(directory->get(), depth); !hidden) return hidden;
  }
  if (is_ours || ::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOTEMPTY || errno == EEXIST)
    return {};
  return failure(Error::from_errno("remove a directory"));
}

Result<void> RootBuilder::hide_below(int directory, int depth) {
  auto names = list_directory(directory);
  if (!names) return failure(std::move(names).error());
  for (const auto& name : *names) {
    if (auto hidden = hide(directory, name, depth + 1); !hidden) return hidden;
  }
  return {};
}

Result<bool> RootBuilder::apply_whiteout(std::string_view path) {
  if (!is_layered_) return false;
  auto names = parse_entry_path(path);
  if (!names) return failure(std::move(names).error());
  if (names->empty()) return false;
  std::string hidden;
  const std::string last = std::move(names->back());
  names->pop_back();
  for (const auto& name : *names) {
    auto kind = classify_layer_name(name, hidden);
    if (kind && *kind == LayerName::kOtherBookkeeping) return true;
    if (!kind || *kind != LayerName::kEntry) return refuse("its path goes through a whiteout");
  }
  auto kind = classify_layer_name(last, hidden);
  if (!kind) return failure(std::move(kind).error());
  if (*kind == LayerName::kEntry) return false;
  if (*kind == LayerName::kOtherBookkeeping) return true;
  if (auto counted = count_entry(); !counted) return failure(std::move(counted).error());
  auto place = find_place(path, Missing::kIsNothing);
  if (!place) return failure(std::move(place).error());
  if (!*place) return true;
  const int parent = (*place)->parent;
  auto done = *kind == LayerName::kOpaque ? hide_below(parent, 0) : hide(parent, hidden, 0);
  parent_.reset();  // may be gone
  if (!done) return failure(std::move(done).error());
  return true;
}

}  // namespace ogni::catalogue
