// The entries of a hostile zip as its central directory lists them, and their contents; no file is touched.
//
// Names are the bytes of the directory: no separator, character set or normalization is converted. A zip may begin with
// other bytes (a self-extracting one) and end with a comment or garbage. Understood: stored and deflated entries, data
// descriptors, zip64, modes of Unix, times and names of Info-ZIP's extra fields.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ogni::catalogue {

struct ZipEntry {
  std::string name;
  mode_t mode = 0;  // with its type; where the zip says none: 0664, or 0775 for a directory
  timespec modified{};
  bool is_encrypted = false;
  std::uint16_t method = 0;
  std::uint32_t checksum = 0;
  std::uint64_t packed_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t place = 0;  // of the local header
};

class ZipReader {
 public:
  // `zip` must stay as it is for as long as this lives. Errors: kInvalidArgument.
  [[nodiscard]] static Result<ZipReader> open(std::string_view zip);

  // The next entry of the directory, nothing at its end. Errors: kInvalidArgument for a directory that is damaged.
  [[nodiscard]] Result<std::optional<ZipEntry>> next();

  // Gives the content to `take`, in pieces, and compares length and checksum; stops at the first error of `take`. No more
  // than entry.bytes are ever given. Errors: kInvalidArgument for content that is damaged or of another method than
  // stored and deflate, or encrypted; what `take` returns.
  using Take = std::function<Result<void>(std::string_view piece)>;
  [[nodiscard]] Result<void> read(const ZipEntry& entry, const Take& take) const;

 private:
  ZipReader(std::string_view zip, std::string_view directory, std::uint64_t base)
      : zip_(zip), directory_(directory), base_(base) {}
  [[nodiscard]] Result<std::string_view> packed_content(const ZipEntry& entry) const;

  std::string_view zip_;
  std::string_view directory_;  // what is left of it
  std::uint64_t base_ = 0;      // what stands before the zip: all its offsets count from here
};

}  // namespace ogni::catalogue
