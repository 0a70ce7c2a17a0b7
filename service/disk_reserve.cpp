#include "service/disk_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "base/system.h"

namespace ogni::service {

namespace {

constexpr const char* kName = "reserve";
// What SQLite's log and a few changed pages need many times over.
constexpr off_t kBytes = off_t{4} << 20;
// Not taken from a disk that has less than this many times as much.
constexpr std::uint64_t kTimesFree = 3;

}  // namespace

DiskReserve::DiskReserve(int data) : data_(data) { take_back(); }

bool DiskReserve::give_up() {
  struct stat status{};
  if (::fstatat(data_, kName, &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return ::unlinkat(data_, kName, 0) == 0 && status.st_blocks > 0;
}

void DiskReserve::take_back() {
  struct stat status{};
  if (::fstatat(data_, kName, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_size == kBytes) return;
  struct statvfs free{};
  if (::fstatvfs(data_, &free) != 0 || free.f_bavail * free.f_frsize < kTimesFree * std::uint64_t{kBytes}) return;
  auto file = open_at(data_, kName, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  // Not all of it is as good as nothing, and would be in the way of what is short of room.
  if (file && ::posix_fallocate(file->get(), 0, kBytes) != 0) ::unlinkat(data_, kName, 0);
}

}  // namespace ogni::service
