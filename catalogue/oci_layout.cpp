#include "catalogue/oci_layout.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <map>
#include <set>

#include "base/digest.h"
#include "base/system.h"
#include "base/text.h"

namespace ogni::catalogue {

namespace {

constexpr int kIndexDepthMax = 4;
constexpr std::size_t kDocumentsMax = 1000;

auto refuse(std::string why) { return failure(ErrorCode::kInvalidArgument, std::move(why)); }

// A regular file below the directory: neither a link of it nor ".." leads out.
Result<Fd> open_beneath(int directory, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  Fd file(static_cast<int>(::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how)));
  if (!file && errno == EACCES) {
    return refuse("the data directory's owner may not read " + path +
                  " of this layout: let it (chmod -R a+rX), or hand it over as a tar");
  }
  if (!file) return failure(Error::from_errno("open " + path));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failure(Error::from_errno("open " + path));
  if (!S_ISREG(status.st_mode)) return refuse(path + " is no file");
  return file;
}

Result<std::string> read_document(int layout, const std::string& path) {
  auto file = open_beneath(layout, path);
  if (!file) return failure(std::move(file).error());
  return read_file("/proc/self/fd/" + std::to_string(file->get()), kOciDocumentBytesMax);
}

Result<std::string> read_blob(int layout, const OciDescriptor& descriptor) {
  if (descriptor.bytes > kOciDocumentBytesMax) return refuse("the document " + descriptor.sha256_hex + " is too large");
  auto file = open_blob(layout, descriptor);
  if (!file) return failure(std::move(file).error());
  auto text = read_file("/proc/self/fd/" + std::to_string(file->get()), kOciDocumentBytesMax);
  if (!text) return text;
  if (text->size() != descriptor.bytes || to_hex(sha256(*text)) != descriptor.sha256_hex) {
    return refuse("the document " + descriptor.sha256_hex + ": its bytes are not those of its digest");
  }
  return text;
}

class Finder {
 public:
  Finder(int layout, const OciPlatform& platform) : layout_(layout), platform_(platform) {}

  // `reference` is what the outermost index calls the image.
  Result<void> look_into(const std::string& text, const std::string& wanted, const std::string& reference, int depth) {
    auto entries = parse_oci_index(text);
    if (!entries) return failure(std::move(entries).error());
    for (const OciDescriptor& entry : *entries) {
      const std::string& name = depth == 0 ? entry.reference : reference;
      if (entry.kind != OciKind::kIndex && entry.kind != OciKind::kManifest) continue;
      if (depth == 0 && !entry.reference.empty()) references_.insert(entry.reference);
      if (depth == 0 && !wanted.empty() && entry.reference != wanted) continue;
      if (++documents_ > kDocumentsMax) return refuse("the layout has too many documents");
      if (entry.kind == OciKind::kIndex) {
        if (depth >= kIndexDepthMax) return refuse("there are too many indexes in each other");
        auto inner = read_blob(layout_, entry);
        if (!inner) return failure(std::move(inner).error());
        if (auto done = look_into(*inner, wanted, name, depth + 1); !done) return done;
        continue;
      }
      if (auto done = look_at(entry, name); !done) return done;
    }
    return {};
  }

  Result<OciImage> choose(const std::string& wanted) {
    if (found_.empty()) {
      std::string words = "there is no image for " + to_string(platform_);
      if (!wanted.empty()) words += " called '" + printable(wanted) + "'";
      if (!platforms_.empty()) words += "; there are some for " + listed(platforms_);
      if (!wanted.empty() && !references_.empty()) words += "; there are: " + listed(references_);
      return failure(ErrorCode::kNotFound, std::move(words));
    }
    if (found_.size() > 1) {
      return failure(ErrorCode::kNotFound,
                     "there are several images: choose one by its reference, of these: " + listed(references_));
    }
    return std::move(found_.begin()->second);
  }

 private:
  static std::string listed(const std::set<std::string>& names) {
    std::string words;
    for (const auto& name : names) words += (words.empty() ? "" : ", ") + printable(name);
    return words;
  }

  Result<void> look_at(const OciDescriptor& entry, const std::string& reference) {
    const bool is_said = !entry.platform.architecture.empty();
    if (is_said && entry.platform.system != "unknown") platforms_.insert(printable(to_string(entry.platform)));
    if (is_said && entry.platform != platform_) return {};
    auto text = read_blob(layout_, entry);
    if (!text) return failure(std::move(text).error());
    auto manifest = parse_oci_manifest(*text);
    if (!manifest) return failure(std::move(manifest).error());
    auto config = read_blob(layout_, manifest->config);
    if (!config) return failure(std::move(config).error());
    auto platform = parse_oci_config(*config);
    if (!platform) return failure(std::move(platform).error());
    platforms_.insert(printable(to_string(*platform)));
    if (*platform != platform_) return {};
    // Of several variants of one image the first is its author's choice.
    found_.try_emplace(reference, OciImage{.sha256_hex = entry.sha256_hex, .manifest = std::move(*manifest)});
    return {};
  }

  int layout_;
  const OciPlatform& platform_;
  std::size_t documents_ = 0;
  std::map<std::string, OciImage> found_;  // by reference
  std::set<std::string> references_;
  std::set<std::string> platforms_;
};

}  // namespace

bool is_layout(int directory) {
  struct stat status{};
  return ::fstatat(directory, "oci-layout", &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstatat(directory, "index.json", &status, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<Fd> open_blob(int layout, const OciDescriptor& descriptor) {
  auto file = open_beneath(layout, "blobs/sha256/" + descriptor.sha256_hex);
  if (!file && file.error().system_error() == ENOENT) {
    return refuse("the layout lacks the blob " + descriptor.sha256_hex);
  }
  return file;
}

Result<OciImage> find_image(int layout, const OciPlatform& platform, const std::string& reference) {
  auto index = read_document(layout, "index.json");
  if (!index) return failure(std::move(index).error());
  Finder finder(layout, platform);
  if (auto looked = finder.look_into(*index, reference, {}, 0); !looked) return failure(std::move(looked).error());
  return finder.choose(reference);
}

}  // namespace ogni::catalogue
