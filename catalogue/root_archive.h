// Reads a tar, plain or compressed by gzip, zstd or xz, into a RootBuilder.
#pragma once

#include "base/digest.h"
#include "base/result.h"
#include "catalogue/root_builder.h"

namespace ogni::catalogue {

struct TarFacts {
  Sha256 digest{};  // of all bytes of the file, as they are there
  std::uint64_t bytes = 0;
};

// From where `file` is to its end. Names are kept as bytes; those that the archive marks as UTF-8 come out in normalization
// form C (libarchive). Errors: kInvalidArgument for what is no tar, is damaged or hostile, with the entry and the reason;
// kTooLarge beyond the builder's limits; kLimit for a full disk; kIo.
[[nodiscard]] Result<TarFacts> read_tar(int file, RootBuilder& builder);

}  // namespace ogni::catalogue
