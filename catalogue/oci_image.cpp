#include "catalogue/oci_image.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "base/text.h"

namespace ogni::catalogue {

namespace {

namespace json = boost::json;

// Of AWS's images 127; of an index, every platform of every tag.
constexpr std::size_t kLayersMax = 1000;
constexpr std::size_t kManifestsMax = 10'000;
constexpr std::uint64_t kBlobBytesMax = std::uint64_t{1} << 50;

auto refuse(const std::string& why) { return failure(ErrorCode::kInvalidArgument, why); }

Result<json::object> parse_object(std::string_view text, const char* what) {
  if (text.size() > kOciDocumentBytesMax) return refuse(std::string(what) + " is too large");
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return refuse(std::string(what) + " is no JSON object");
  return std::move(value.get_object());
}

std::string text_in(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

OciKind kind_of(std::string_view type) {
  if (type == "application/vnd.oci.image.index.v1+json" ||
      type == "application/vnd.docker.distribution.manifest.list.v2+json") {
    return OciKind::kIndex;
  }
  if (type == "application/vnd.oci.image.manifest.v1+json" ||
      type == "application/vnd.docker.distribution.manifest.v2+json") {
    return OciKind::kManifest;
  }
  if (type == "application/vnd.oci.image.config.v1+json" || type == "application/vnd.docker.container.image.v1+json") {
    return OciKind::kConfig;
  }
  // By whatever they are compressed: the bytes say that themselves. Encrypted ones end in "+encrypted".
  for (const std::string_view layer :
       {"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"}) {
    if (!type.starts_with(layer)) continue;
    const std::string_view rest = type.substr(layer.size());
    if (rest.empty() || rest == "+gzip" || rest == "+zstd" || rest == ".gzip" || rest == ".zstd")
      return OciKind::kLayer;
  }
  return OciKind::kOther;
}

Result<OciDescriptor> parse_descriptor(const json::value& value) {
  if (!value.is_object()) return refuse("a descriptor is no object");
  const json::object& object = value.get_object();
  OciDescriptor descriptor;
  descriptor.media_type = text_in(object, "mediaType");
  descriptor.kind = kind_of(descriptor.media_type);
  const std::string digest = text_in(object, "digest");
  constexpr std::string_view kAlgorithm = "sha256:";
  if (!digest.starts_with(kAlgorithm)) return refuse("the digest '" + printable(digest) + "' is not of SHA-256");
  descriptor.sha256_hex = digest.substr(kAlgorithm.size());
  const bool is_hex = descriptor.sha256_hex.size() == 64 && std::ranges::all_of(descriptor.sha256_hex, [](char c) {
                        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                      });
  if (!is_hex) return refuse("the digest '" + printable(digest) + "' is none");
  const json::value* size = object.if_contains("size");
  const auto bytes = size != nullptr && size->is_int64() ? size->get_int64() : -1;
  if (bytes < 0 || static_cast<std::uint64_t>(bytes) > kBlobBytesMax) return refuse("a descriptor has no size");
  descriptor.bytes = static_cast<std::uint64_t>(bytes);
  if (const json::value* platform = object.if_contains("platform"); platform != nullptr && platform->is_object()) {
    descriptor.platform = {.system = text_in(platform->get_object(), "os"),
                           .architecture = text_in(platform->get_object(), "architecture")};
  }
  if (const json::value* notes = object.if_contains("annotations"); notes != nullptr && notes->is_object()) {
    descriptor.reference = text_in(notes->get_object(), "org.opencontainers.image.ref.name");
  }
  return descriptor;
}

Result<std::vector<OciDescriptor>> parse_list(const json::object& object, std::string_view name, std::size_t most) {
  const json::value* list = object.if_contains(name);
  if (list != nullptr && list->is_null()) return std::vector<OciDescriptor>();  // as Go writes an empty one
  if (list == nullptr || !list->is_array()) return refuse("there is no list of " + std::string(name));
  if (list->get_array().size() > most) return refuse("there are too many " + std::string(name));
  std::vector<OciDescriptor> descriptors;
  for (const json::value& item : list->get_array()) {
    auto descriptor = parse_descriptor(item);
    if (!descriptor) return failure(std::move(descriptor).error());
    descriptors.push_back(std::move(*descriptor));
  }
  return descriptors;
}

}  // namespace

Result<std::vector<OciDescriptor>> parse_oci_index(std::string_view text) {
  auto object = parse_object(text, "the index");
  if (!object) return failure(std::move(object).error());
  return parse_list(*object, "manifests", kManifestsMax);
}

Result<OciManifest> parse_oci_manifest(std::string_view text) {
  auto object = parse_object(text, "the manifest");
  if (!object) return failure(std::move(object).error());
  const json::value* config = object->if_contains("config");
  if (config == nullptr) return refuse("the manifest names no config");
  OciManifest manifest;
  auto described = parse_descriptor(*config);
  if (!described) return failure(std::move(described).error());
  if (described->kind != OciKind::kConfig) {
    return refuse("the manifest is of no container image: '" + printable(described->media_type) + "'");
  }
  manifest.config = std::move(*described);
  auto layers = parse_list(*object, "layers", kLayersMax);
  if (!layers) return failure(std::move(layers).error());
  for (const OciDescriptor& layer : *layers) {
    if (layer.kind != OciKind::kLayer) return refuse("a layer is no tar: '" + printable(layer.media_type) + "'");
  }
  manifest.layers = std::move(*layers);
  return manifest;
}

Result<OciPlatform> parse_oci_config(std::string_view text) {
  auto object = parse_object(text, "the config");
  if (!object) return failure(std::move(object).error());
  return OciPlatform{.system = text_in(*object, "os"), .architecture = text_in(*object, "architecture")};
}

Result<OciPlatform> parse_platform(std::string_view text) {
  for (const std::string_view architecture : {"amd64", "arm64"}) {
    const std::string whole = "linux/" + std::string(architecture);
    if (text == whole || (architecture == "arm64" && text == whole + "/v8")) {
      return OciPlatform{.system = "linux", .architecture = std::string(architecture)};
    }
  }
  return refuse("'" + printable(text) + "' is neither linux/amd64 nor linux/arm64");
}

OciPlatform own_platform() {
#if defined(__aarch64__)
  return {.system = "linux", .architecture = "arm64"};
#else
  return {.system = "linux", .architecture = "amd64"};
#endif
}

std::string to_string(const OciPlatform& platform) { return platform.system + "/" + platform.architecture; }

}  // namespace ogni::catalogue
