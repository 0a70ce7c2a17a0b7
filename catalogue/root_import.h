// Makes a root file system of what somebody has: a directory, a tar, or an OCI image layout, as directory or tar.
#pragma once

#include <string>

#include "base/result.h"
#include "catalogue/oci_image.h"
#include "catalogue/root_builder.h"

namespace ogni::catalogue {

struct ImportWish {
  RootLimits limits;
  OciPlatform platform = own_platform();  // of an image for several
  std::string reference;                  // of a layout with several images: the name of one, or empty
};

struct ImportedRoot {
  RootContent content;
  std::string kind;      // "directory", "tar", "image"
  std::string digest;    // "sha256:…" of the image's manifest, or of the tar's bytes; empty for a directory
  std::string platform;  // of an image: "linux/amd64"
};

// Fills <draft>/tree; `draft` is an empty directory of the caller's, who throws it away after an error. `source` is an open
// file, pipe or directory. What of a directory this user may not read, and what is on other file systems, is left out.
// Errors: kInvalidArgument for what is none of the three, is damaged or hostile, or whose bytes are not those of its
// digest; kNotFound where no image fits the wish; kTooLarge beyond the limits; kLimit for a full disk; kIo.
[[nodiscard]] Result<ImportedRoot> import_root(int source, int draft, const ImportWish& wish);

}  // namespace ogni::catalogue
