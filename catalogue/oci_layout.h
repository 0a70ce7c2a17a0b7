// An OCI image layout on the disk, given by a descriptor of its directory: finds an image, opens blobs. Hostile: no name
// leads out of the directory, and documents are what their digests say.
// Source: OCI image specification 1.1, image-layout.md.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "catalogue/oci_image.h"

namespace ogni::catalogue {

// Whether it has the two files by which a layout is known, readable or not.
bool is_layout(int directory);

struct OciImage {
  std::string sha256_hex;  // of the manifest
  OciManifest manifest;
};
// The image for this platform, through indexes in indexes. Errors: kNotFound where there is none, or several and
// `reference` names none of them, saying what there is; kInvalidArgument; kIo.
[[nodiscard]] Result<OciImage> find_image(int layout, const OciPlatform& platform, const std::string& reference);

// Readable, not yet compared with its digest. Errors: kInvalidArgument if it is not there.
[[nodiscard]] Result<Fd> open_blob(int layout, const OciDescriptor& descriptor);

}  // namespace ogni::catalogue
