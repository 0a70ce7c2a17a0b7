// /tmp as a small disk of its own: an ext4 file system in a file without a name, behind a loop device.
//
// What a function writes there is then bounded by the size of the disk and is not counted as memory. Needs root: only the
// owner of the first user namespace may mount a block device. Each step of making or ending one waits for the kernel
// (some 10 ms together, of which the processor works less than one), so it is done by workers (tmp_disks.h).
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::sandbox {

// An image with an empty file system on which a user can write exactly `bytes` (and the few blocks that tell where they
// are). Disks are copies of it; it is sparse.
struct TmpTemplate {
  Fd image;
  std::uint64_t bytes = 0;
};

// `directory` is where the image takes up room. In a mount namespace that has the host's programs. Some 50 ms. Errors:
// kNotFound without mkfs.ext4; kIo with the failing step.
[[nodiscard]] Result<TmpTemplate> make_tmp_template(int directory, std::uint64_t bytes);

// The kernel frees image, file system and device when the last of these, and of the mounts, is closed.
struct TmpDisk {
  Fd device;
  Fd root;  // its uppermost directory
  Fd image;
  std::uint64_t bytes = 0;
  // What is free while it is empty.
  std::uint64_t blocks = 0;
  std::uint64_t files = 0;
  std::uint64_t image_bytes = 0;  // that the image takes up then
};
// In a mount namespace that has the host's /dev and /proc. Errors: kIo with the failing step.
[[nodiscard]] Result<TmpDisk> make_tmp_disk(int directory, const TmpTemplate& model);

// Another mount of it, detached, ready to be attached by an init.
[[nodiscard]] Result<Fd> mount_tmp_disk(const TmpDisk& disk);

// True when nothing tells any more that somebody used the disk, and its image takes up no more room than a new one: then it
// is as good as a new one. No mount may be left.
bool is_tmp_disk_pristine(const TmpDisk& disk);

}  // namespace ogni::sandbox
