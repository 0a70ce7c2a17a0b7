// Any bytes as a document of an image layout, or as a name of a layer: nothing crashes, and what is accepted is fit for use.
#include <cstdlib>

#include "catalogue/oci_image.h"
#include "catalogue/root_builder.h"

namespace {

using namespace ogni::catalogue;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_descriptor(const OciDescriptor& descriptor) {
  check(descriptor.sha256_hex.size() == 64 &&
        descriptor.sha256_hex.find_first_not_of("0123456789abcdef") == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      if (auto index = parse_oci_index(text)) {
        for (const auto& descriptor : *index) check_descriptor(descriptor);
      }
      break;
    case 1:
      if (auto manifest = parse_oci_manifest(text)) {
        check_descriptor(manifest->config);
        for (const auto& layer : manifest->layers) {
          check_descriptor(layer);
          check(layer.kind == OciKind::kLayer);
        }
      }
      break;
    case 2:
      (void)parse_oci_config(text);
      break;
    case 3:
      if (auto platform = parse_platform(text)) check(platform->system == "linux");
      break;
    default: {
      if (text.find('/') != std::string_view::npos) break;  // one component
      std::string hidden;
      auto kind = classify_layer_name(text, hidden);
      if (kind && *kind == LayerName::kWhiteout) {
        check(!hidden.empty() && hidden != "." && hidden != ".." && text == ".wh." + hidden);
      }
    }
  }
  return 0;
}
