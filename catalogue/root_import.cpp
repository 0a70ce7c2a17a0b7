#include "catalogue/root_import.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/system.h"
#include "catalogue/oci_layout.h"
#include "catalogue/root_archive.h"
#include "catalogue/root_directory.h"
#include "catalogue/tree.h"

namespace ogni::catalogue {

namespace {

constexpr const char* kTree = "tree";
constexpr const char* kLayout = "layout";

Result<Fd> make_tree(int draft) {
  if (::mkdirat(draft, kTree, 0755) != 0 || ::fchmodat(draft, kTree, 0755, 0) != 0) {
    return failure(disk_error("make the root"));
  }
  return open_at(draft, kTree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<ImportedRoot> from_layout(int layout, int draft, const ImportWish& wish) {
  auto image = find_image(layout, wish.platform, wish.reference);
  if (!image) return failure(std::move(image).error());
  auto tree = make_tree(draft);
  if (!tree) return failure(std::move(tree).error());
  RootBuilder builder(tree->get(), wish.limits);
  for (const OciDescriptor& layer : image->manifest.layers) {
    builder.begin_layer();
    auto blob = open_blob(layout, layer);
    if (!blob) return failure(std::move(blob).error());
    const std::string name = "layer " + layer.sha256_hex;
    auto facts = read_tar(blob->get(), builder);
    if (!facts) return failure(std::move(facts).error().within(name));
    if (to_hex(facts->digest) != layer.sha256_hex || facts->bytes != layer.bytes) {
      return failure(ErrorCode::kInvalidArgument, name + ": its bytes are not those of its digest");
    }
  }
  return ImportedRoot{.content = builder.content(),
                      .kind = "image",
                      .digest = "sha256:" + image->sha256_hex,
                      .platform = to_string(wish.platform)};
}

Result<ImportedRoot> from_tar(int source, int draft, const ImportWish& wish) {
  auto tree = make_tree(draft);
  if (!tree) return failure(std::move(tree).error());
  RootBuilder builder(tree->get(), wish.limits);
  auto facts = read_tar(source, builder);
  if (!facts) return failure(std::move(facts).error());
  if (!is_layout(tree->get())) {
    struct stat status{};
    if (::fstatat(tree->get(), "manifest.json", &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        ::fstatat(tree->get(), "usr", &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return failure(ErrorCode::kInvalidArgument,
                     "an image in Docker's old form: make an OCI layout of it with skopeo copy docker-archive:FILE "
                     "oci:DIR, or save it with Docker 25 or later");
    }
    return ImportedRoot{
        .content = builder.content(), .kind = "tar", .digest = "sha256:" + to_hex(facts->digest), .platform = {}};
  }
  // What was unpacked is an image still.
  tree->reset();
  if (::renameat(draft, kTree, draft, kLayout) != 0) return failure(disk_error("set the layout aside"));
  auto layout = open_at(draft, kLayout, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!layout) return failure(std::move(layout).error());
  auto imported = from_layout(layout->get(), draft, wish);
  if (auto removed = remove_tree(draft, kLayout); !removed) return failure(std::move(removed).error());
  return imported;
}

}  // namespace

Result<ImportedRoot> import_root(int source, int draft, const ImportWish& wish) {
  struct stat status{};
  if (::fstat(source, &status) != 0) return failure(Error::from_errno("look at the source"));
  Result<ImportedRoot> imported = failure(ErrorCode::kInvalidArgument, "it is neither file nor directory");
  if (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) {
    imported = from_tar(source, draft, wish);
  } else if (S_ISDIR(status.st_mode) && is_layout(source)) {
    imported = from_layout(source, draft, wish);
  } else if (S_ISDIR(status.st_mode)) {
    auto tree = make_tree(draft);
    if (!tree) return failure(std::move(tree).error());
    RootBuilder builder(tree->get(), wish.limits);
    auto copied = copy_directory(source, builder);
    if (!copied) return failure(std::move(copied).error());
    imported = ImportedRoot{.content = builder.content(), .kind = "directory", .digest = {}, .platform = {}};
  }
  if (imported && imported->content.entries == 0) return failure(ErrorCode::kInvalidArgument, "nothing is in it");
  return imported;
}

}  // namespace ogni::catalogue
