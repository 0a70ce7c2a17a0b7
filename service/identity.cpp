#include "service/identity.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "base/system.h"

namespace ogni::service {

namespace {

Result<Identity> identity_of(const passwd& entry, const std::string& user) {
  if (entry.pw_uid == 0)
    return failure(ErrorCode::kInvalidArgument, "the service must not run as root: --user " + user);
  return Identity{.uid = entry.pw_uid, .gid = entry.pw_gid, .must_change = true};
}

}  // namespace

Result<Identity> choose_identity(const std::string& user) {
  if (::geteuid() != 0) {
    if (!user.empty()) {
      const passwd* entry = ::getpwnam(user.c_str());
      if (entry == nullptr || entry->pw_uid != ::geteuid()) {
        return failure(ErrorCode::kInvalidArgument, "only root can run the service as another user: --user " + user);
      }
    }
    return Identity{.uid = ::geteuid(), .gid = ::getegid(), .must_change = false};
  }
  if (!user.empty()) {
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) return failure(ErrorCode::kInvalidArgument, "there is no user " + user);
    return identity_of(*entry, user);
  }
  if (const passwd* entry = ::getpwnam("ogni")) return identity_of(*entry, "ogni");
  if (const char* sudo = std::getenv("SUDO_UID")) {
    const std::string text(sudo);
    uid_t uid = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), uid);
    if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && uid != 0) {
      if (const passwd* entry = ::getpwuid(uid)) return identity_of(*entry, text);
    }
  }
  return Identity{.uid = kFallbackUid, .gid = kFallbackUid, .must_change = true};
}

Result<void> become(const Identity& identity) {
  if (!identity.must_change) return {};
  if (::setgroups(0, nullptr) != 0) return failure(Error::from_errno("drop groups"));
  if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) return failure(Error::from_errno("set the group"));
  if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) return failure(Error::from_errno("set the user"));
  if (::setuid(0) == 0 || ::geteuid() != identity.uid || ::getegid() != identity.gid) {
    return failure(ErrorCode::kInternal, "root was not given up");
  }
  // Changing the uid hides /proc/self/fd from ourselves, by which the data directory is reached.
  if (::prctl(PR_SET_DUMPABLE, 1) != 0) return failure(Error::from_errno("stay dumpable"));
  return {};
}

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

// Gives a directory that we opened to the identity. Nothing below it is touched.
Result<void> give(int directory, const std::string& name, const Identity& identity) {
  struct stat status{};
  if (::fstat(directory, &status) != 0) return failure(Error::from_errno("stat " + name));
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

// Somebody's directory (--data /home) must not become ours by a slip.
Result<void> adopt(int directory, const std::string& path, const Identity& identity, bool made) {
  std::error_code error;
  if (!made && !std::filesystem::is_empty(path, error)) {
    return failure(ErrorCode::kInvalidArgument,
                   path + " is not empty and does not belong to the service's user: name another directory");
  }
  return give(directory, path, identity);
}

}  // namespace

Result<Fd> open_data_directory(const std::string& path, const Identity& identity) {
  bool made = false;
  auto directory = open_or_make(path, made);
  if (!directory) return directory;
  if (::flock(directory->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return failure(ErrorCode::kConflict, "another ogni serve uses the data directory " + path);
    return failure(Error::from_errno("lock " + path));
  }
  struct stat status{};
  if (::fstat(directory->get(), &status) != 0) return failure(Error::from_errno("stat " + path));
  if (made || (identity.must_change && status.st_uid != identity.uid)) {
    if (auto given = adopt(directory->get(), path, identity, made); !given) return failure(std::move(given).error());
  }
  return directory;
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
  if (made || is_root) {
    if (auto given = adopt(directory->get(), path, *identity, made); !given) return failure(std::move(given).error());
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
