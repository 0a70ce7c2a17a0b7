#include "service/data_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/system.h"

namespace ogni::service {

Result<std::string> default_data_directory(bool root) {
  if (root) return std::string("/var/lib/ogni");
  if (const char* data_home = std::getenv("XDG_DATA_HOME"); data_home != nullptr && data_home[0] == '/') {
    return std::string(data_home) + "/ogni";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    return std::string(home) + "/.local/share/ogni";
  }
  return failure(ErrorCode::kInvalidArgument, "neither XDG_DATA_HOME nor HOME is set: name a directory with --data");
}

namespace {

// A daemon that has been killed lets go of its locks a moment after its death is seen.
constexpr auto kDyingMax = std::chrono::seconds(1);
constexpr int kLockPauseMs = 10;
constexpr const char* kLauncherLock = "launcher.lock";
// Empty: that it is there says that functions have run in namespaces. So it needs no room but its name.
constexpr const char* kWallsMark = "isolation-namespace";
constexpr mode_t kOthers = 0077;
constexpr mode_t kOthersWrite = 0022;

Result<void> lock(int file, const std::string& path, std::chrono::milliseconds patience, const std::string& if_taken) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return failure(Error::from_errno("lock " + path));
    if (std::chrono::steady_clock::now() >= deadline) return failure(ErrorCode::kConflict, if_taken);
    ::poll(nullptr, 0, kLockPauseMs);
  }
  return {};
}

bool is_trusted(const struct stat& status, const Identity& identity) {
  return status.st_uid == identity.uid || status.st_uid == 0;
}

auto another_users(const std::string& path, uid_t uid) {
  return failure(ErrorCode::kInvalidArgument, path + " belongs to another user (uid " + std::to_string(uid) +
                                                  "), who could change what functions run: name another directory");
}

// Gives a directory that we opened to the identity. Nothing below it is touched.
Result<void> give(int directory, const std::string& name, const Identity& identity) {
  struct stat status{};
  if (::fstat(directory, &status) != 0) return failure(Error::from_errno("stat " + name));
  if (!is_trusted(status, identity)) return another_users(name, status.st_uid);
  if (identity.must_change && (status.st_uid != identity.uid || status.st_gid != identity.gid) &&
      ::fchown(directory, identity.uid, identity.gid) != 0) {
    return failure(Error::from_errno("chown " + name));
  }
  if ((status.st_mode & 07777) != 0700 && ::fchmod(directory, 0700) != 0) {
    return failure(Error::from_errno("chmod " + name));
  }
  return {};
}

Result<Fd> open_or_make(const std::string& path, bool& made) {
  std::error_code error;
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) return failure(ErrorCode::kIo, "make " + parent.string() + ": " + error.message());
  made = ::mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return failure(Error::from_errno("make " + path));
  return open_file(path, O_RDONLY | O_DIRECTORY);
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Everything in the directory belongs to the identity or to root, and so does what is in the directories there. Those that
// others could write to are closed.
Result<void> check_entries(int directory, const std::string& path, const Identity& identity, int levels) {
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDirectory> entries(copy >= 0 ? ::fdopendir(copy) : nullptr);
  if (!entries) return failure(Error::from_errno("read " + path));
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return failure(Error::from_errno("stat " + path + "/" + name));
    }
    if (!is_trusted(status, identity)) return another_users(path + "/" + name, status.st_uid);
    if (!S_ISDIR(status.st_mode) || levels == 1) continue;
    auto below = open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!below) return failure(std::move(below).error());
    if ((status.st_mode & kOthersWrite) != 0 && ::fchmod(below->get(), status.st_mode & 07777 & ~kOthers) != 0) {
      return failure(Error::from_errno("chmod " + path + "/" + name));
    }
    if (auto checked = check_entries(below->get(), path + "/" + name, identity, levels - 1); !checked) return checked;
  }
  return {};
}

// Somebody's directory (--data /home) must not become ours by a slip.
Result<void> adopt(int directory, const std::string& path, const Identity& identity, bool made) {
  std::error_code error;
  if (!made && !std::filesystem::is_empty(path, error)) {
    return failure(ErrorCode::kInvalidArgument,
                   path + " is not empty and does not belong to the service's user: name another directory");
  }
  if (::fchown(directory, identity.uid, identity.gid) != 0) return failure(Error::from_errno("chown " + path));
  return give(directory, path, identity);
}

// Ours, or about to be, and closed to others.
Result<void> secure(int directory, const std::string& path, const Identity& identity, bool made) {
  struct stat status{};
  if (::fstat(directory, &status) != 0) return failure(Error::from_errno("stat " + path));
  if (status.st_uid != identity.uid) {
    if (!identity.must_change) return another_users(path, status.st_uid);
    if (auto adopted = adopt(directory, path, identity, made); !adopted) return adopted;
  } else if (auto given = give(directory, path, identity); !given) {
    return given;
  }
  return check_entries(directory, path, identity, 2);
}

}  // namespace

Result<Fd> open_data_directory(const std::string& path, const Identity& identity) {
  bool made = false;
  auto directory = open_or_make(path, made);
  if (!directory) return directory;
  auto locked = lock(directory->get(), path, kDyingMax, "another ogni serve uses the data directory " + path);
  if (!locked) return failure(std::move(locked).error());
  if (auto secured = secure(directory->get(), path, identity, made); !secured)
    return failure(std::move(secured).error());
  return directory;
}

namespace {

// A file of the identity's in the data directory, made if need be.
Result<Fd> open_own_file(int data, const char* name, const Identity& identity) {
  auto file = open_at(data, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!file) return file;
  if (identity.must_change && ::fchown(file->get(), identity.uid, identity.gid) != 0) {
    return failure(Error::from_errno(std::string("chown ") + name));
  }
  return file;
}

}  // namespace

Result<Fd> lock_for_launcher(int data, const Identity& identity, std::chrono::milliseconds patience) {
  auto file = open_own_file(data, kLauncherLock, identity);
  if (!file) return file;
  auto locked = lock(file->get(), kLauncherLock, patience,
                     "the launcher of the ogni serve that used this data directory before has not ended");
  if (!locked) return failure(std::move(locked).error());
  return file;
}

Result<bool> had_walls(int data) {
  struct stat status{};
  if (::fstatat(data, kWallsMark, &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return failure(Error::from_errno(std::string("stat ") + kWallsMark));
}

Result<void> remember_walls(int data, const Identity& identity) {
  auto had = had_walls(data);
  if (!had) return failure(std::move(had).error());
  if (*had) return {};
  auto file = open_own_file(data, kWallsMark, identity);
  if (!file) return failure(std::move(file).error().within("remember that functions are isolated"));
  if (::fsync(data) != 0 && errno != EINVAL) return failure(Error::from_errno("sync the data directory"));
  return {};
}

Result<SharedData> share_data_directory(const std::string& path, const std::string& user) {
  bool made = false;
  auto directory = open_or_make(path, made);
  if (!directory) return failure(std::move(directory).error());
  struct stat status{};
  if (::fstat(directory->get(), &status) != 0) return failure(Error::from_errno("stat " + path));
  const bool is_root = ::geteuid() == 0;
  if (is_root && status.st_uid != 0) {
    return SharedData{.directory = std::move(*directory),
                      .owner = {.uid = status.st_uid, .gid = status.st_gid, .must_change = true}};
  }
  auto identity = choose_identity(user);
  if (!identity) return failure(std::move(identity).error());
  if (auto secured = secure(directory->get(), path, *identity, made); !secured) {
    return failure(std::move(secured).error());
  }
  return SharedData{.directory = std::move(*directory), .owner = *identity};
}

Result<Fd> open_subdirectory(int parent, const std::string& name, const Identity& identity) {
  if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST) return failure(Error::from_errno("make " + name));
  auto directory = open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory) return directory;
  if (auto given = give(directory->get(), name, identity); !given) return failure(std::move(given).error());
  return directory;
}

}  // namespace ogni::service
