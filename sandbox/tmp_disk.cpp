#include "sandbox/tmp_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/system.h"
#include "sandbox/kernel.h"

namespace ogni::sandbox {

namespace {

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kInode = 256;
// One file per 16 KiB, as is usual; so many at least that small disks are not full of small files at once.
constexpr std::uint64_t kBytesPerFile = 16'384;
constexpr std::uint64_t kFilesMin = 16'384;
// Beside the data and the table of files: what the kernel keeps back (4,096 blocks at most), bitmaps, descriptors. Too
// much does no harm: what remains is reserved.
constexpr std::uint64_t kApartBytes = std::uint64_t{24} << 20;
constexpr std::uint64_t kBitmapShare = 1024;
// The block that tells where those of one large file are: a file of exactly the size fits, and at AWS's sizes (512 MB and
// up, too many extents for the inode) not a byte more.
constexpr std::uint64_t kMappingBlocks = 1;
constexpr std::array kMkfsPlaces = {"/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4", "/usr/bin/mkfs.ext4"};
constexpr int kDeviceTries = 100;
// A used disk's image may be so much larger than a new one's: tables that the file system has begun to use.
constexpr std::uint64_t kImageGrowthMax = std::uint64_t{1} << 20;
constexpr std::uint64_t kStatBlock = 512;  // stat(2)
// Of the superblock, at byte 1024: the number of blocks that only root may use. Source: kernel's fs/ext4/ext4.h.
constexpr off_t kReservedBlocksAt = 1024 + 8;

std::uint64_t room_of(const struct stat& status) { return static_cast<std::uint64_t>(status.st_blocks) * kStatBlock; }

Result<Fd> make_image(int directory) { return open_at(directory, ".", O_TMPFILE | O_RDWR, 0600); }

// execve(2) with nothing but the image.
Result<void> run_mkfs(int image, std::uint64_t files) {
  const auto* const mkfs =
      std::ranges::find_if(kMkfsPlaces, [](const char* path) { return ::access(path, X_OK) == 0; });
  if (mkfs == kMkfsPlaces.end()) return failure(ErrorCode::kNotFound, "there is no mkfs.ext4 (package e2fsprogs)");
  std::vector<std::string> words = {*mkfs,
                                    "-q",
                                    "-F",
                                    "-b",
                                    std::to_string(kBlock),
                                    "-I",
                                    std::to_string(kInode),
                                    "-N",
                                    std::to_string(files),
                                    "-m",
                                    "0",
                                    "-O",
                                    "^has_journal,^resize_inode,^metadata_csum,uninit_bg",
                                    "-E",
                                    "lazy_itable_init=1,nodiscard,root_owner=0:0",
                                    "/proc/self/fd/3"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<char*, 1> variables = {nullptr};
  const pid_t pid = ::fork();
  if (pid < 0) return failure(Error::from_errno("fork"));
  if (pid == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    for (int standard = 0; standard < 3; ++standard) ::dup2(null, standard);
    if (image != 3) ::dup2(image, 3);
    if (::fcntl(3, F_SETFD, 0) == 0) ::execve(*mkfs, arguments.data(), variables.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status == 0) return {};
  // Its own words are for nobody; what is likely can be asked.
  struct statvfs free{};
  if (::fstatvfs(image, &free) == 0 && free.f_bavail * free.f_frsize < kApartBytes) {
    return failure(Error::from_errno(*mkfs, ENOSPC));
  }
  return failure(ErrorCode::kIo, std::string(*mkfs) + " failed with status " + std::to_string(WEXITSTATUS(status)));
}

Result<Fd> attach_to_device(int image) {
  const auto control = open_file("/dev/loop-control", O_RDWR);
  if (!control) return failure(control.error());
  for (int tries = 0; tries < kDeviceTries; ++tries) {
    const int number = ::ioctl(control->get(), LOOP_CTL_GET_FREE);
    if (number < 0) return failure(Error::from_errno("LOOP_CTL_GET_FREE"));
    auto device = open_file("/dev/loop" + std::to_string(number), O_RDWR);
    // Another program may have taken it since the kernel's answer, and may even have removed its node again.
    const int error = device ? 0 : device.error().system_error();
    if (!device && tries == 0 && (error == ENOENT || error == ENXIO || error == EBUSY)) continue;
    if (!device) return device;
    loop_config config{};
    config.fd = static_cast<std::uint32_t>(image);
    config.block_size = kBlock;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (::ioctl(device->get(), LOOP_CONFIGURE, &config) == 0) return device;
    if (errno != EBUSY) return failure(Error::from_errno("LOOP_CONFIGURE"));  // busy: somebody else was faster
  }
  return failure(ErrorCode::kIo, "no loop device is free");
}

Result<TmpDisk> mount_image(int image, std::uint64_t bytes) {
  TmpDisk disk{.bytes = bytes};
  auto device = attach_to_device(image);
  if (!device) return failure(std::move(device).error());
  disk.device = std::move(*device);
  auto mounted = mount_tmp_disk(disk);
  if (!mounted) return failure(std::move(mounted).error());
  auto root = open_at(mounted->get(), ".", O_RDONLY | O_DIRECTORY);
  if (!root) return failure(std::move(root).error());
  disk.root = std::move(*root);
  struct statvfs status{};
  if (::fstatvfs(disk.root.get(), &status) != 0) return failure(Error::from_errno("statvfs"));
  disk.blocks = status.f_bavail;
  disk.files = status.f_ffree;
  return disk;
}

Result<void> copy_image(int from, int to) {
  struct stat status{};
  if (::fstat(from, &status) != 0) return failure(Error::from_errno("fstat"));
  if (::ioctl(to, FICLONE, from) == 0) return {};
  if (::ftruncate(to, status.st_size) != 0) return failure(Error::from_errno("ftruncate"));
  for (off_t end = 0; end < status.st_size;) {
    off_t begin = ::lseek(from, end, SEEK_DATA);
    if (begin < 0 && errno == ENXIO) break;
    if (begin < 0) return failure(Error::from_errno("seek data"));
    end = ::lseek(from, begin, SEEK_HOLE);
    if (end < 0) return failure(Error::from_errno("seek hole"));
    off_t target = begin;
    while (begin < end) {
      const ssize_t copied = ::copy_file_range(from, &begin, to, &target, static_cast<std::size_t>(end - begin), 0);
      if (copied <= 0) return failure(Error::from_errno("copy the image"));
    }
  }
  return {};
}

}  // namespace

Result<TmpTemplate> make_tmp_template(int directory, std::uint64_t bytes) {
  auto image = make_image(directory);
  if (!image) return failure(std::move(image).error());
  const std::uint64_t wanted = (bytes + kBlock - 1) / kBlock + kMappingBlocks;
  const std::uint64_t files = std::max(bytes / kBytesPerFile, kFilesMin);
  const std::uint64_t size = wanted * kBlock + files * kInode + bytes / kBitmapShare + kApartBytes;
  if (::ftruncate(image->get(), static_cast<off_t>(size / kBlock * kBlock)) != 0) {
    return failure(Error::from_errno("ftruncate"));
  }
  if (auto made = run_mkfs(image->get(), files); !made) return failure(std::move(made).error());
  std::uint64_t surplus = 0;
  {
    auto disk = mount_image(image->get(), bytes);
    if (!disk) return failure(std::move(disk).error());
    if (::unlinkat(disk->root.get(), "lost+found", AT_REMOVEDIR) != 0) return failure(Error::from_errno("lost+found"));
    if (::fchmod(disk->root.get(), 01777) != 0) return failure(Error::from_errno("chmod"));
    if (::syncfs(disk->root.get()) != 0) return failure(Error::from_errno("syncfs"));
    struct statvfs status{};
    if (::fstatvfs(disk->root.get(), &status) != 0) return failure(Error::from_errno("statvfs"));
    if (status.f_bavail < wanted)
      return failure(ErrorCode::kInternal, "the file system's own data are larger than thought");
    surplus = status.f_bavail - wanted;
  }
  const auto reserved = static_cast<std::uint32_t>(surplus);
  if (::pwrite(image->get(), &reserved, sizeof reserved, kReservedBlocksAt) != sizeof reserved) {
    return failure(Error::from_errno("write the superblock"));
  }
  return TmpTemplate{.image = std::move(*image), .bytes = bytes};
}

Result<TmpDisk> make_tmp_disk(int directory, const TmpTemplate& model) {
  auto image = make_image(directory);
  if (!image) return failure(std::move(image).error());
  if (auto copied = copy_image(model.image.get(), image->get()); !copied) return failure(std::move(copied).error());
  auto disk = mount_image(image->get(), model.bytes);
  if (!disk) return disk;
  struct stat status{};
  if (::fstat(image->get(), &status) != 0) return failure(Error::from_errno("fstat"));
  disk->image = std::move(*image);
  disk->image_bytes = room_of(status);
  return disk;
}

Result<Fd> mount_tmp_disk(const TmpDisk& disk) {
  if (disk.root && ::futimens(disk.root.get(), nullptr) != 0) return failure(Error::from_errno("set the times"));
  const std::array options = {
      FileSystemOption{"source", "/proc/self/fd/" + std::to_string(disk.device.get())},
      FileSystemOption{"noinit_itable", ""},
      FileSystemOption{"nobarrier", ""},
  };
  return make_file_system("ext4", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

bool is_tmp_disk_pristine(const TmpDisk& disk) {
  struct stat root{};
  struct statvfs free{};
  if (::fstat(disk.root.get(), &root) != 0 || ::fstatvfs(disk.root.get(), &free) != 0) return false;
  // A directory that was large once stays so.
  if (root.st_size != static_cast<off_t>(kBlock) || root.st_nlink != 2 || (root.st_mode & 07777) != 01777) return false;
  if (free.f_bavail != disk.blocks || free.f_ffree != disk.files) return false;
  // Blocks of files that are gone stay with the image.
  struct stat image{};
  return ::fstat(disk.image.get(), &image) == 0 && room_of(image) <= disk.image_bytes + kImageGrowthMax;
}

}  // namespace ogni::sandbox
