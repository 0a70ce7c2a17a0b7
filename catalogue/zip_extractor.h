// Unpacks one hostile zip below one directory, or says why not.
//
// The zip is read by its central directory, as on AWS: that is where the modes are. Every name is checked (entry_path.h)
// and then walked component by component by descriptor, no link followed, so that nothing outside can be reached; bytes
// are counted as they come out, whatever the headers claim.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace ogni::catalogue {

struct ZipLimits {
  std::uint64_t unzipped_bytes_max;
  std::uint64_t entries_max;  // files, links and directories, those that are only implied included
};

struct ZipContent {
  std::uint64_t unzipped_bytes = 0;  // of files and link targets
  std::uint64_t entries = 0;
};

// `directory` is empty and private; on failure it holds a part of the zip, to be thrown away. Files get the
// mode of the zip less setuid, setgid and sticky, and its time; directories likewise, 0755 where the zip does
// not list them. The mode of `directory` itself becomes 0755. Nothing is synced.
// Entries without Unix modes get 0664 and 0775. An entry that is marked as a fifo becomes a file.
// Errors: kInvalidArgument for what is no zip, is damaged or is hostile, with the entry and the reason; kNotFound for a
// zip without entries; kTooLarge beyond `limits`; kLimit for a full disk; kIo.
[[nodiscard]] Result<ZipContent> extract_zip(std::string_view zip, int directory, const ZipLimits& limits);

}  // namespace ogni::catalogue
