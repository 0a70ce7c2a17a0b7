// The JSON documents of an OCI image layout, as values. Pure: hostile text in, nothing touched.
//
// Docker's own media types stand for the same documents and are read likewise.
// Source: OCI image specification 1.1 (image-layout.md, image-index.md, manifest.md, config.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ogni::catalogue {

inline constexpr std::size_t kOciDocumentBytesMax = 4 << 20;

struct OciPlatform {
  std::string system;        // "linux"
  std::string architecture;  // "amd64", "arm64"
  bool operator==(const OciPlatform&) const = default;
};

enum class OciKind { kIndex, kManifest, kConfig, kLayer, kOther };

struct OciDescriptor {
  OciKind kind = OciKind::kOther;
  std::string media_type;
  std::string sha256_hex;  // 64 digits of lower case, fit for a file name
  std::uint64_t bytes = 0;
  OciPlatform platform;   // empty: not said
  std::string reference;  // annotation org.opencontainers.image.ref.name
};

// Errors of all: kInvalidArgument, saying what is wrong.
[[nodiscard]] Result<std::vector<OciDescriptor>> parse_oci_index(std::string_view text);
struct OciManifest {
  OciDescriptor config;
  std::vector<OciDescriptor> layers;  // the lowest first
};
[[nodiscard]] Result<OciManifest> parse_oci_manifest(std::string_view text);
[[nodiscard]] Result<OciPlatform> parse_oci_config(std::string_view text);

// "linux/arm64", "linux/arm64/v8". Errors: kInvalidArgument for any other but linux/amd64 and linux/arm64.
[[nodiscard]] Result<OciPlatform> parse_platform(std::string_view text);
OciPlatform own_platform();
std::string to_string(const OciPlatform& platform);

}  // namespace ogni::catalogue
