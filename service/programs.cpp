#include "service/programs.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <vector>

#include "base/system.h"

namespace ogni::service {

Result<Fd> open_program(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return failure(ErrorCode::kIo, "find this program: " + error.message());
  const auto here = self.parent_path();
  const auto installed = here.parent_path() / "libexec" / "ogni";
  for (const auto& place : {here / name, installed / name}) {
    struct stat status{};
    auto program = open_file(place.string(), O_PATH);
    if (program && ::fstat(program->get(), &status) == 0 && S_ISREG(status.st_mode)) return program;
  }
  return failure(ErrorCode::kNotFound, name + " is neither in " + here.string() + " nor in " + installed.string());
}

namespace {

// What is installed is what it should be: then no room is needed for another copy.
bool is_same(int wanted, const struct stat& status, int directory, const std::string& name) {
  const auto installed = open_at(directory, name, O_RDONLY | O_NOFOLLOW);
  struct stat found{};
  if (!installed || ::fstat(installed->get(), &found) != 0) return false;
  if (!S_ISREG(found.st_mode) || (found.st_mode & 07777) != 0755 || found.st_size != status.st_size) return false;
  if (found.st_uid != ::geteuid()) return false;
  std::vector<char> left(1 << 16);
  std::vector<char> right(left.size());
  for (off_t at = 0; at < status.st_size;) {
    const ssize_t count = ::pread(wanted, left.data(), left.size(), at);
    if (count <= 0 || ::pread(installed->get(), right.data(), right.size(), at) != count) return false;
    if (std::memcmp(left.data(), right.data(), static_cast<std::size_t>(count)) != 0) return false;
    at += count;
  }
  return true;
}

}  // namespace

Result<void> install_bootstrap(int directory) {
  auto program = open_program("bootstrap");
  if (!program) return failure(std::move(program).error());
  auto source = open_file("/proc/self/fd/" + std::to_string(program->get()), O_RDONLY);
  if (!source) return failure(std::move(source).error());
  struct stat status{};
  if (::fstat(source->get(), &status) != 0) return failure(Error::from_errno("stat bootstrap"));
  const std::string fresh = "bootstrap.new";
  ::unlinkat(directory, fresh.c_str(), 0);
  if (is_same(source->get(), status, directory, "bootstrap")) return {};
  auto target = open_at(directory, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0755);
  if (!target) return failure(std::move(target).error());
  for (off_t at = 0; at < status.st_size;) {
    const ssize_t count = ::sendfile(target->get(), source->get(), &at, static_cast<std::size_t>(status.st_size - at));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return failure(Error::from_errno("copy bootstrap"));
  }
  if (::fchmod(target->get(), 0755) != 0) return failure(Error::from_errno("chmod bootstrap"));
  if (::renameat(directory, fresh.c_str(), directory, "bootstrap") != 0) {
    return failure(Error::from_errno("rename bootstrap"));
  }
  return {};
}

}  // namespace ogni::service
