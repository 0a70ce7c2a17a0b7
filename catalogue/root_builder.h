// Builds one root file system from the entries of archives that may be hostile.
//
// Nothing outside of the directory can be reached: names with ".." or a leading slash are refused; the way to an entry's
// directory is walked by the kernel with this directory as its root (openat2, RESOLVE_IN_ROOT), so that a link of the tree
// leads within the tree, as it will for a function; the entry itself is made anew, and what stood in its place is removed
// first. Links are kept as they are: a function's root is this tree, and they end in it.
//
// Functions run as users that own nothing here, so modes say one thing only: directories get 0755, files 0644 or, where
// anybody may execute them, 0755. Owners, set-user-id bits and extended attributes are dropped; devices, fifos and sockets
// are left out.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::catalogue {

struct RootLimits {
  std::uint64_t bytes_max;    // of files, holes included, and of link targets; what later layers remove counts, too
  std::uint64_t entries_max;  // likewise
};

struct RootContent {
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t left_out = 0;  // devices and their like, and what could not be read
};

// What a name of a layer stands for. Source: OCI image specification, "Image Layer Filesystem Changeset", Whiteouts.
enum class LayerName {
  kEntry,
  kWhiteout,         // ".wh.NAME": NAME of the layers below is hidden
  kOpaque,           // ".wh..wh..opq": all that the layers below have in this directory is hidden
  kOtherBookkeeping  // of the union file system that the form is from: ".wh..wh.…"
};
// `name` is one component; `hidden` becomes NAME. Errors: kInvalidArgument for a whiteout that hides no name ("", ".", "..").
[[nodiscard]] Result<LayerName> classify_layer_name(std::string_view name, std::string& hidden);

// All errors but for kIo, kLimit (disk full) and kTooLarge (beyond the limits) are kInvalidArgument: the entry is hostile or
// none. The entry's name is the caller's to add.
class RootBuilder {
 public:
  // `root` is an open directory, empty and private; its mode becomes 0755.
  RootBuilder(int root, const RootLimits& limits) : root_(root), limits_(limits) {}

  // What follows lies over what is there. Names are then those of a layer: whiteouts count.
  void begin_layer();

  [[nodiscard]] Result<void> add_directory(std::string_view path);
  // Open for writing, empty; count_bytes() before writing, then finish_file().
  [[nodiscard]] Result<Fd> add_file(std::string_view path);
  [[nodiscard]] Result<void> finish_file(const Fd& file, mode_t mode, const std::optional<timespec>& modified);
  [[nodiscard]] Result<void> add_symbolic_link(std::string_view path, std::string_view target);
  // To an entry of this tree that is there already and no directory.
  [[nodiscard]] Result<void> add_hard_link(std::string_view path, std::string_view target);
  void leave_out() { ++content_.left_out; }
  // True if the entry was a whiteout, which is done then. Call it before any add.
  [[nodiscard]] Result<bool> apply_whiteout(std::string_view path);

  [[nodiscard]] Result<void> count_bytes(std::uint64_t bytes);
  const RootContent& content() const { return content_; }

 private:
  struct Place {
    int parent;
    std::string name;  // empty: the root itself
  };
  enum class Missing { kMake, kIsNothing };
  Result<std::optional<Place>> find_place(std::string_view path, Missing missing);
  Result<Fd> open_parent(const std::vector<std::string>& directories, Missing missing);
  Result<void> make_way(const Place& place);
  Result<void> make_directory(int parent, const std::string& name);
  Result<void> hide(int parent, const std::string& name, int depth);
  Result<void> hide_below(int directory, int depth);
  void mark(int parent, const std::string& name);
  bool is_marked(int parent, const std::string& name) const;
  Result<void> count_entry();

  int root_;
  RootLimits limits_;
  RootContent content_;
  Fd parent_;  // of the last entry: the entries of a directory mostly follow each other
  std::string parent_path_;
  bool is_layered_ = false;
  // What the present layer has made or listed, by directory and name: whiteouts spare it.
  std::set<std::pair<ino_t, std::string>> marked_;
};

}  // namespace ogni::catalogue
