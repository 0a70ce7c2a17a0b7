#include "catalogue/root_store.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <chrono>

#include "base/system.h"
#include "base/text.h"
#include "catalogue/tree.h"

namespace ogni::catalogue {

namespace {

namespace json = boost::json;

constexpr const char* kDirectory = "rootfs";
constexpr const char* kTree = "tree";
constexpr const char* kInfo = "info.json";
constexpr const char* kImporting = ".importing-";
constexpr const char* kRemoving = ".removing-";
constexpr std::size_t kInfoBytesMax = 64 * 1024;
constexpr int kTriesMax = 10;

auto not_found(const std::string& name) {
  return failure(ErrorCode::kNotFound, "no root file system is called " + printable(name));
}

bool try_lock(const Fd& directory, int kind) { return ::flock(directory.get(), kind | LOCK_NB) == 0; }

// PRETTY_NAME of an os-release file, whose form is a shell's.
std::string pretty_name(std::string_view text) {
  constexpr std::string_view kName = "PRETTY_NAME=";
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(kName)) continue;
    line.remove_prefix(kName.size());
    if (line.size() >= 2 && (line.front() == '"' || line.front() == '\'') && line.back() == line.front()) {
      line = line.substr(1, line.size() - 2);
    }
    return printable(line, 100);
  }
  return {};
}

std::string system_of(int tree) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const Fd file(static_cast<int>(::syscall(SYS_openat2, tree, "etc/os-release", &how, sizeof how)));
  if (!file) return {};
  auto text = read_file("/proc/self/fd/" + std::to_string(file.get()), kInfoBytesMax);
  return text ? pretty_name(*text) : std::string();
}

Result<void> write_info(int draft, const RootInfo& info) {
  const json::object object{
      {"System", info.system}, {"Kind", info.kind},         {"Source", info.source},
      {"Digest", info.digest}, {"Platform", info.platform}, {"Imported", info.imported},
      {"Bytes", info.bytes},   {"Entries", info.entries},   {"LeftOut", info.left_out},
  };
  auto file = open_at(draft, kInfo, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!file) return failure(disk_error(std::move(file).error()));
  if (auto written = write_all(file->get(), json::serialize(object)); !written) {
    return failure(disk_error(std::move(written).error()));
  }
  return {};
}

RootInfo read_info(int store, const std::string& name) {
  RootInfo info{.name = name};
  const auto text = read_file_at(store, name + "/" + kInfo, kInfoBytesMax);
  boost::system::error_code error;
  const json::value value = text ? json::parse(*text, error) : json::value();
  if (error || !value.is_object()) return info;
  const json::object& object = value.get_object();
  const auto word = [&object](std::string_view key) {
    const json::value* found = object.if_contains(key);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
  };
  const auto number = [&object](std::string_view key) {
    const json::value* found = object.if_contains(key);
    return found != nullptr && found->is_int64() ? static_cast<std::uint64_t>(found->get_int64()) : std::uint64_t{0};
  };
  info.system = word("System");
  info.kind = word("Kind");
  info.source = word("Source");
  info.digest = word("Digest");
  info.platform = word("Platform");
  info.imported = word("Imported");
  info.bytes = number("Bytes");
  info.entries = number("Entries");
  info.left_out = number("LeftOut");
  return info;
}

// A directory under a name of its own, locked, that is removed again unless it was put in its place.
class Draft {
 public:
  // The store is locked.
  static Result<Draft> make(int store) {
    std::string name = kImporting + make_uuid();
    if (::mkdirat(store, name.c_str(), 0700) != 0) return failure(disk_error("make a directory"));
    auto directory = open_at(store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return failure(std::move(directory).error());
    if (!try_lock(*directory, LOCK_EX)) return failure(Error::from_errno("lock a directory"));
    return Draft(store, std::move(name), std::move(*directory));
  }
  Draft(Draft&& other) noexcept
      : store_(other.store_), name_(std::exchange(other.name_, {})), directory_(std::move(other.directory_)) {}
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    if (!name_.empty()) (void)remove_tree(store_, name_);
  }
  int get() const { return directory_.get(); }
  const std::string& name() const { return name_; }
  void unlock() { ::flock(directory_.get(), LOCK_UN); }
  void keep() { name_.clear(); }

 private:
  Draft(int store, std::string name, Fd directory)
      : store_(store), name_(std::move(name)), directory_(std::move(directory)) {}
  int store_;
  std::string name_;
  Fd directory_;
};

Result<std::optional<Fd>> open_directory(int data) {
  auto directory = open_at(data, kDirectory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory && directory.error().system_error() == ENOENT) return std::nullopt;
  if (!directory) return failure(std::move(directory).error());
  return std::optional(std::move(*directory));
}

}  // namespace

bool is_root_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= 64 && name != kHostRoot && is_plain(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return is_plain(c) || c == '.' || c == '_' || c == '-'; });
}

Result<RootStore> RootStore::open(int data) {
  if (::mkdirat(data, kDirectory, 0700) != 0 && errno != EEXIST) return failure(disk_error("make rootfs"));
  auto directory = open_at(data, kDirectory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory) return failure(std::move(directory).error());
  return RootStore(std::move(*directory));
}

Result<std::optional<RootStore>> RootStore::open_existing(int data) {
  auto directory = open_directory(data);
  if (!directory) return failure(std::move(directory).error());
  if (!*directory) return std::nullopt;
  return std::optional(RootStore(std::move(**directory)));
}

// Of the store as a whole: for moments, but while a removal runs.
Result<Fd> RootStore::lock() const {
  auto own = open_at(directory_.get(), ".", O_RDONLY | O_DIRECTORY);
  if (!own) return own;
  while (::flock(own->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return failure(Error::from_errno("lock the root file systems"));
  }
  return own;
}

Result<void> RootStore::sweep_locked() {
  auto names = list_directory(directory_.get());
  if (!names) return failure(std::move(names).error());
  for (const auto& name : *names) {
    if (!name.starts_with(kImporting) && !name.starts_with(kRemoving)) continue;
    auto directory = open_at(directory_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory || !try_lock(*directory, LOCK_EX)) continue;
    if (auto removed = remove_tree(directory_.get(), name); !removed) return removed;
  }
  return {};
}

Result<void> RootStore::sweep() {
  auto locked = lock();
  if (!locked) return failure(std::move(locked).error());
  return sweep_locked();
}

Result<void> RootStore::place(const std::string& draft, const std::string& name, Existing existing) {
  const int store = directory_.get();
  if (::renameat2(store, draft.c_str(), store, name.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EEXIST) return failure(disk_error("store " + name));
  if (existing == Existing::kKeep) return failure(ErrorCode::kConflict, name + " is there already");
  if (::renameat2(store, draft.c_str(), store, name.c_str(), RENAME_EXCHANGE) != 0) {
    return failure(disk_error("store " + name));
  }
  const std::string aside = kRemoving + make_uuid();
  if (::renameat(store, draft.c_str(), store, aside.c_str()) != 0) return failure(disk_error("set the old one aside"));
  return {};
}

Result<RootInfo> RootStore::import(const std::string& name, int source, const std::string& source_words,
                                   const ImportWish& wish, Existing existing) {
  if (!is_root_name(name)) {
    return failure(
        ErrorCode::kInvalidArgument,
        "'" + printable(name) +
            "' cannot be its name: letters, digits, '.', '_' and '-', at most 64, a letter or digit first, and "
            "not 'host'");
  }
  Result<Draft> draft = [&]() -> Result<Draft> {
    auto locked = lock();
    if (!locked) return failure(std::move(locked).error());
    if (auto swept = sweep_locked(); !swept) return failure(std::move(swept).error());
    struct stat status{};
    if (existing == Existing::kKeep && ::fstatat(directory_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
      return failure(ErrorCode::kConflict, name + " is there already");
    }
    return Draft::make(directory_.get());
  }();
  if (!draft) return failure(std::move(draft).error());

  auto imported = import_root(source, draft->get(), wish);
  if (!imported) return failure(std::move(imported).error());
  RootInfo info{.name = name,
                .system = {},
                .kind = imported->kind,
                .source = printable(source_words, 500),
                .digest = imported->digest,
                .platform = imported->platform,
                .imported = to_iso8601(std::chrono::system_clock::now()),
                .bytes = imported->content.bytes,
                .entries = imported->content.entries,
                .left_out = imported->content.left_out};
  {
    auto tree = open_at(draft->get(), kTree, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!tree) return failure(std::move(tree).error());
    info.system = system_of(tree->get());
  }
  if (auto written = write_info(draft->get(), info); !written) return failure(std::move(written).error());
  if (auto synced = sync_tree(draft->get()); !synced) return failure(std::move(synced).error());

  auto locked = lock();
  if (!locked) return failure(std::move(locked).error());
  draft->unlock();
  if (auto placed = place(draft->name(), name, existing); !placed) return failure(std::move(placed).error());
  draft->keep();
  if (::fsync(directory_.get()) != 0) return failure(disk_error("sync the root file systems"));
  if (auto swept = sweep_locked(); !swept) return failure(std::move(swept).error());
  return info;
}

Result<std::vector<RootInfo>> RootStore::list() const {
  auto names = list_directory(directory_.get());
  if (!names) return failure(std::move(names).error());
  std::ranges::sort(*names);
  std::vector<RootInfo> infos;
  for (const auto& name : *names) {
    if (is_root_name(name)) infos.push_back(read_info(directory_.get(), name));
  }
  return infos;
}

Result<RootStore::Removed> RootStore::remove(const std::string& name) {
  if (!is_root_name(name)) return not_found(name);
  auto locked = lock();
  if (!locked) return failure(std::move(locked).error());
  const std::string aside = kRemoving + make_uuid();
  if (::renameat(directory_.get(), name.c_str(), directory_.get(), aside.c_str()) != 0) {
    if (errno == ENOENT) return not_found(name);
    return failure(disk_error("remove " + name));
  }
  if (::fsync(directory_.get()) != 0) return failure(disk_error("sync the root file systems"));
  if (auto swept = sweep_locked(); !swept) return failure(std::move(swept).error());
  struct stat status{};
  const bool is_there = ::fstatat(directory_.get(), aside.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  return is_there ? Removed::kWhenUnused : Removed::kWhole;
}

bool RootStore::is_current(const std::string& name, const Fd& lock) const {
  struct stat opened{}, named{};
  return ::fstat(lock.get(), &opened) == 0 &&
         ::fstatat(directory_.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

Result<HeldRoot> RootStore::hold(const std::string& name) const {
  if (!is_root_name(name)) return not_found(name);
  for (int tries = 0; tries < kTriesMax; ++tries) {
    auto entry = open_at(directory_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!entry && entry.error().system_error() == ENOENT) return not_found(name);
    if (!entry) return failure(std::move(entry).error());
    // Set aside meanwhile, whoever removes it may hold the lock.
    if (!try_lock(*entry, LOCK_SH)) continue;
    if (!is_current(name, *entry)) continue;
    auto tree = open_at(entry->get(), kTree, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!tree) return failure(std::move(tree).error());
    return HeldRoot{.lock = std::move(*entry), .tree = std::move(*tree)};
  }
  return not_found(name);
}

}  // namespace ogni::catalogue
