#include "catalogue/root_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <map>
#include <vector>

#include "base/system.h"
#include "base/text.h"
#include "catalogue/tree.h"

namespace ogni::catalogue {

namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

bool is_closed(const Error& error) { return error.system_error() == EACCES || error.system_error() == EPERM; }

class Copier {
 public:
  explicit Copier(RootBuilder& builder) : builder_(builder), buffer_(kPieceBytes) {}

  Result<void> copy_below(int directory, const std::string& path) {
    struct stat status{};
    if (::fstat(directory, &status) != 0) return failure(Error::from_errno("look at a directory"));
    if (path.empty()) device_ = status.st_dev;
    auto names = list_directory(directory);
    if (!names) return failure(std::move(names).error());
    for (const auto& name : *names) {
      const std::string below = path.empty() ? name : path + "/" + name;
      if (auto copied = copy(directory, name, below); !copied) return copied;
    }
    return {};
  }

 private:
  Result<void> copy(int directory, const std::string& name, const std::string& path) {
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return failure(Error::from_errno("look at " + printable(path)));
    }
    Result<void> done = {};
    if (S_ISDIR(status.st_mode)) {
      return copy_directory(directory, name, path, status);  // what is below names itself
    }
    if (S_ISLNK(status.st_mode)) {
      done = copy_link(directory, name, path);
    } else if (S_ISREG(status.st_mode)) {
      done = copy_file(directory, name, path, status);
    } else {
      builder_.leave_out();
    }
    if (!done) return failure(std::move(done).error().within("entry " + printable(path)));
    return {};
  }

  Result<void> copy_directory(int directory, const std::string& name, const std::string& path,
                              const struct stat& status) {
    if (auto made = builder_.add_directory(path); !made) {
      return failure(std::move(made).error().within("entry " + printable(path)));
    }
    auto opened = open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (status.st_dev != device_ || (!opened && is_closed(opened.error()))) {
      builder_.leave_out();
      return {};
    }
    if (!opened) return failure(std::move(opened).error());
    return copy_below(opened->get(), path);
  }

  Result<void> copy_link(int directory, const std::string& name, const std::string& path) {
    std::array<char, 4096> target;
    const ssize_t size = ::readlinkat(directory, name.c_str(), target.data(), target.size());
    if (size < 0) return failure(Error::from_errno("read the link"));
    return builder_.add_symbolic_link(path, {target.data(), static_cast<std::size_t>(size)});
  }

  Result<void> copy_file(int directory, const std::string& name, const std::string& path, const struct stat& status) {
    if (status.st_nlink > 1) {
      const auto known = links_.find(status.st_ino);
      if (known != links_.end()) return builder_.add_hard_link(path, known->second);
    }
    auto source = open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat opened{};
    if (!source && is_closed(source.error())) {
      builder_.leave_out();
      return {};
    }
    if (!source) return failure(std::move(source).error());
    if (::fstat(source->get(), &opened) != 0 || !S_ISREG(opened.st_mode)) {
      return failure(ErrorCode::kInvalidArgument, "it is being changed");
    }
    auto target = builder_.add_file(path);
    if (!target) return failure(std::move(target).error());
    if (auto copied = copy_bytes(*source, *target); !copied) return copied;
    if (status.st_nlink > 1) links_.emplace(status.st_ino, path);
    return builder_.finish_file(*target, opened.st_mode, opened.st_mtim);
  }

  Result<void> copy_bytes(const Fd& source, const Fd& target) {
    for (;;) {
      const ssize_t size = ::read(source.get(), buffer_.data(), buffer_.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return failure(Error::from_errno("read it"));
      if (size == 0) return {};
      if (auto counted = builder_.count_bytes(static_cast<std::uint64_t>(size)); !counted) return counted;
      auto written = write_all(target.get(), {buffer_.data(), static_cast<std::size_t>(size)});
      if (!written) return failure(disk_error(std::move(written).error()));
    }
  }

  RootBuilder& builder_;
  std::vector<char> buffer_;
  dev_t device_ = 0;
  std::map<ino_t, std::string> links_;
};

}  // namespace

Result<void> copy_directory(int source, RootBuilder& builder) { return Copier(builder).copy_below(source, {}); }

}  // namespace ogni::catalogue
