// For tests: tars of any entries, hostile ones too, and OCI image layouts of them.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/digest.h"

namespace ogni::catalogue {

struct TarEntry {
  std::string name;
  std::string content = {};
  mode_t mode = S_IFREG | 0644;
  std::string link = {};       // of a symbolic link
  std::string hard_link = {};  // makes it one
};

enum class Packing { kNone, kGzip, kZstd, kXz };

inline std::string make_tar(const std::vector<TarEntry>& entries, Packing packing = Packing::kNone) {
  std::string bytes;
  archive* writer = ::archive_write_new();
  ::archive_write_set_format_gnutar(writer);
  if (packing == Packing::kGzip) ::archive_write_add_filter_gzip(writer);
  if (packing == Packing::kZstd) ::archive_write_add_filter_zstd(writer);
  if (packing == Packing::kXz) ::archive_write_add_filter_xz(writer);
  ::archive_write_set_bytes_in_last_block(writer, 1);
  const auto write = [](archive*, void* to, const void* from, std::size_t size) -> la_ssize_t {
    static_cast<std::string*>(to)->append(static_cast<const char*>(from), size);
    return static_cast<la_ssize_t>(size);
  };
  if (::archive_write_open(writer, &bytes, nullptr, write, nullptr) != ARCHIVE_OK) std::abort();
  for (const TarEntry& entry : entries) {
    archive_entry* header = ::archive_entry_new();
    ::archive_entry_set_pathname(header, entry.name.c_str());
    ::archive_entry_set_mode(header, entry.mode);
    ::archive_entry_set_mtime(header, 1'700'000'000, 0);
    if (!entry.link.empty()) {
      ::archive_entry_set_filetype(header, AE_IFLNK);
      ::archive_entry_set_symlink(header, entry.link.c_str());
    }
    if (!entry.hard_link.empty()) ::archive_entry_set_hardlink(header, entry.hard_link.c_str());
    ::archive_entry_set_size(header, static_cast<la_int64_t>(entry.content.size()));
    if (::archive_write_header(writer, header) != ARCHIVE_OK) std::abort();
    if (!entry.content.empty()) ::archive_write_data(writer, entry.content.data(), entry.content.size());
    ::archive_entry_free(header);
  }
  ::archive_write_free(writer);
  return bytes;
}

// A layout in a directory. Documents are written by hand here, so that they can lie.
class TestLayout {
 public:
  explicit TestLayout(std::filesystem::path directory) : directory_(std::move(directory)) {
    std::filesystem::create_directories(directory_ / "blobs/sha256");
    write("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  }

  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
  }
  std::filesystem::path blob(const std::string& descriptor) const {
    return directory_ / "blobs/sha256" / descriptor.substr(descriptor.find("sha256:") + 7, 64);
  }
  // Stores them and gives their descriptor; `more` are members of it, each after a comma.
  std::string add(const std::string& bytes, const std::string& type, const std::string& more = {}) const {
    const std::string digest = to_hex(sha256(bytes));
    write("blobs/sha256/" + digest, bytes);
    return R"({"mediaType":")" + type + R"(","digest":"sha256:)" + digest + R"(","size":)" +
           std::to_string(bytes.size()) + more + "}";
  }
  std::string layer(const std::string& tar, const std::string& suffix = "") const {
    return add(tar, "application/vnd.oci.image.layer.v1.tar" + suffix);
  }
  std::string manifest(const std::vector<std::string>& layers, const std::string& architecture,
                       const std::string& more = {}) const {
    const std::string config =
        add(R"({"os":"linux","architecture":")" + architecture + R"("})", "application/vnd.oci.image.config.v1+json");
    return add(R"({"schemaVersion":2,"config":)" + config + R"(,"layers":[)" + joined(layers) + "]}",
               "application/vnd.oci.image.manifest.v1+json", more);
  }
  void index(const std::vector<std::string>& manifests) const { write("index.json", index_of(manifests)); }
  static std::string index_of(const std::vector<std::string>& manifests) {
    return R"({"schemaVersion":2,"manifests":[)" + joined(manifests) + "]}";
  }

 private:
  static std::string joined(const std::vector<std::string>& texts) {
    std::string whole;
    for (const auto& text : texts) whole += (whole.empty() ? "" : ",") + text;
    return whole;
  }
  std::filesystem::path directory_;
};

}  // namespace ogni::catalogue
