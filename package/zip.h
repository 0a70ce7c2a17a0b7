// A folder as a zip archive, the form in which the Lambda API takes code and layers.
//
// The same folder gives the same bytes, wherever and whenever it is packed: entries are sorted by name, carry
// no owner and no time, so CodeSha256 changes only when the code does. Permission bits and symbolic links are
// kept (a bootstrap stays executable); setuid, setgid and sticky bits are not. `.git` and `__pycache__` at
// any depth and `*.zip` in the top folder (the output of an earlier packing) are left out.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "protocol/limits.h"

namespace ogni::package {

// A file that is put into the zip beside those of the folder.
struct ExtraFile {
  std::string path;  // relative, with '/'
  std::string bytes;
  mode_t mode = 0644;
};

enum class Timestamps {
  kFixed,  // 1980-01-01, the earliest that a zip can say
  kKept,   // the files' own: the archive is then as reproducible as they are
};

struct ZipOptions {
  std::vector<ExtraFile> extra;
  Timestamps timestamps = Timestamps::kFixed;
  std::size_t zip_bytes_max = protocol::limits::kZippedBytesMax;
  std::uint64_t unzipped_bytes_max = protocol::limits::kUnzippedBytesMax - 1;
  std::size_t entries_max = protocol::limits::kZipEntriesMax;
  // Called on the calling thread after each file with the bytes read so far and those of the whole folder.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

struct Zip {
  std::string bytes;
  std::size_t entries = 0;            // files, folders and links
  std::uint64_t unzipped_bytes = 0;   // of the files
  std::vector<std::string> left_out;  // relative paths, sorted
};

// Errors: kInvalidArgument for a folder that is none or is empty, an entry that a zip cannot hold (device,
// socket, pipe, a name that is not UTF-8) or an extra file that the folder has already; kTooLarge beyond a
// bound of `options`; kIo with the path of the file. Blocks for as long as reading and compressing takes.
[[nodiscard]] Result<Zip> zip_directory(const std::string& directory, const ZipOptions& options);

}  // namespace ogni::package
