#include "catalogue/oci_image.h"

#include <gtest/gtest.h>

#include "catalogue/root_builder.h"

namespace ogni::catalogue {
namespace {

std::string descriptor(const std::string& type, const std::string& digest, const std::string& size = "1") {
  return R"({"mediaType":")" + type + R"(","digest":")" + digest + R"(","size":)" + size + "}";
}
const std::string kDigest = "sha256:" + std::string(64, 'a');
constexpr const char* kManifest = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kConfig = "application/vnd.oci.image.config.v1+json";

std::string index_of(const std::string& descriptors) { return R"({"manifests":[)" + descriptors + "]}"; }
std::string manifest_of(const std::string& config, const std::string& layers) {
  return R"({"config":)" + config + R"(,"layers":[)" + layers + "]}";
}

TEST(OciImage, ReadsAnIndex) {
  const auto index = parse_oci_index(
      R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
      kDigest +
      R"(","size":7,"platform":{"os":"linux","architecture":"arm64","variant":"v8"},)"
      R"("annotations":{"org.opencontainers.image.ref.name":"latest"}}]})");
  ASSERT_TRUE(index) << index.error().message();
  ASSERT_EQ(index->size(), 1U);
  EXPECT_EQ(index->front().kind, OciKind::kManifest);
  EXPECT_EQ(index->front().sha256_hex, std::string(64, 'a'));
  EXPECT_EQ(index->front().bytes, 7U);
  EXPECT_EQ(to_string(index->front().platform), "linux/arm64");
  EXPECT_EQ(index->front().reference, "latest");
}

// A digest becomes the name of a file.
TEST(OciImage, RefusesDigestsThatAreNone) {
  for (const std::string& digest :
       {std::string(), std::string("sha256:"), "sha256:" + std::string(63, 'a'), "sha256:" + std::string(64, 'A'),
        "sha256:../../../../etc/passwd" + std::string(40, 'a'), "sha512:" + std::string(128, 'a'),
        "sha256:" + std::string(63, 'a') + "/"}) {
    EXPECT_FALSE(parse_oci_index(index_of(descriptor(kManifest, digest)))) << digest;
  }
  for (const char* size : {"-1", "1e9", "\"1\"", "null", "9223372036854775807", "18446744073709551615"}) {
    EXPECT_FALSE(parse_oci_index(index_of(descriptor(kManifest, kDigest, size)))) << size;
  }
}

TEST(OciImage, RefusesWhatIsNoDocument) {
  for (const std::string text :
       {"", "[]", "null", "{}", "{\"manifests\":{}}", "{\"manifests\":[1]}", "{\"manifests\":[]} x"}) {
    EXPECT_FALSE(parse_oci_index(text)) << text;
    EXPECT_FALSE(parse_oci_manifest(text)) << text;
  }
  EXPECT_FALSE(parse_oci_index(std::string(kOciDocumentBytesMax + 1, ' ')));
  EXPECT_FALSE(parse_oci_index(std::string(100'000, '[')));
}

TEST(OciImage, TakesLayersThatAreTarsAndNoOthers) {
  const std::string config = descriptor(kConfig, kDigest);
  for (const char* type :
       {"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar.gzip"}) {
    EXPECT_TRUE(parse_oci_manifest(manifest_of(config, descriptor(type, kDigest)))) << type;
  }
  for (const char* type :
       {"application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "application/vnd.in-toto+json", ""}) {
    EXPECT_FALSE(parse_oci_manifest(manifest_of(config, descriptor(type, kDigest)))) << type;
  }
  EXPECT_TRUE(parse_oci_manifest(R"({"config":)" + config + R"(,"layers":null})"));
  EXPECT_FALSE(parse_oci_manifest(manifest_of(descriptor("application/vnd.cncf.helm.config.v1+json", kDigest), "")));
}

TEST(OciImage, KnowsPlatforms) {
  EXPECT_EQ(parse_platform("linux/arm64/v8").value().architecture, "arm64");
  EXPECT_EQ(parse_platform("linux/amd64").value().architecture, "amd64");
  for (const char* text : {"", "linux", "linux/386", "windows/amd64", "amd64", "linux/amd64/"}) {
    EXPECT_FALSE(parse_platform(text)) << text;
  }
}

TEST(LayerName, TellsWhiteoutsFromEntries) {
  std::string hidden;
  EXPECT_EQ(classify_layer_name("file", hidden), LayerName::kEntry);
  EXPECT_EQ(classify_layer_name(".wh", hidden), LayerName::kEntry);
  EXPECT_EQ(classify_layer_name(".wh..wh..opq", hidden), LayerName::kOpaque);
  EXPECT_EQ(classify_layer_name(".wh..wh.plnk", hidden), LayerName::kOtherBookkeeping);
  EXPECT_EQ(classify_layer_name(".wh..hidden", hidden), LayerName::kWhiteout);
  EXPECT_EQ(hidden, ".hidden");
  for (const char* name : {".wh.", ".wh..", ".wh..."}) EXPECT_FALSE(classify_layer_name(name, hidden)) << name;
}

}  // namespace
}  // namespace ogni::catalogue
