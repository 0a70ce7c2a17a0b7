// Zips and their unpacked trees, by SHA-256 of the zip.
//
//   <directory>/code/<sha256>/zip              the bytes as uploaded
//   <directory>/code/<sha256>/tree/            unpacked once, read by environments, never changed
//   <directory>/code/<sha256>/unzipped_bytes   in decimal
//   <directory>/merged/<key>/{layers,tree/}    several trees as one; <key> is the SHA-256 of `layers`
//
// Each entry appears at once by rename(2), synced, so a killed service leaves a whole entry or none. All calls may come
// from any thread; they block on the disk.
//
// Hostile zips are the normal case: no path outside the tree, no absolute path, no "..", no entry through a symlink, no
// device, fifo or socket, no duplicate entry, bounded bytes, entries and depth. A symlink may have any target: whoever
// reads a tree outside of a sandbox must not follow one. Mode bits are kept less setuid, setgid and sticky;
// what a zip makes unreadable can still be removed. File times are kept.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "catalogue/model.h"

namespace ogni::catalogue {

class CodeStore {
 public:
  struct Limits {
    std::uint64_t unzipped_bytes_max;
    std::uint64_t entries_max;
  };
  // Works below `directory` (a descriptor that stays open). Removes what an interrupted add() left.
  [[nodiscard]] static Result<std::unique_ptr<CodeStore>> open(int directory, Limits limits);
  ~CodeStore();

  // Stores and unpacks `zip`, or finds it there. Errors: kInvalidArgument for what is not a zip or is hostile
  // (the message says which entry and why; for our log), kNotFound for a zip without entries, kTooLarge for one that
  // unpacks beyond the limits, kLimit for a full disk.
  [[nodiscard]] Result<CodeReference> add(std::string_view zip);
  // O_PATH descriptor of the unpacked tree. Errors: kNotFound.
  [[nodiscard]] Result<Fd> open_tree(const std::string& sha256_hex) const;
  // Readable descriptor of the zip as uploaded. Errors: kNotFound.
  [[nodiscard]] Result<Fd> open_zip(const std::string& sha256_hex) const;
  // For environments without namespaces: a directory that merges the trees of `layers` in order, later ones
  // winning, by hard links (copies across file systems). Made once per list. Returns its descriptor. Errors:
  // kNotFound, kLimit.
  [[nodiscard]] Result<Fd> merged_tree(const std::vector<std::string>& layers);
  // Removes every entry whose SHA-256 is not in `in_use`, and merged trees that hold one such. What add() returned in
  // the last ten minutes is kept, because its caller may not have told the catalogue yet. Environments that run code
  // no function names any more lose their files unless the caller counts that code as used. Returns how many entries of
  // code went, at most `most`. Errors: kIo.
  [[nodiscard]] Result<std::size_t> remove_unused(const std::vector<std::string>& in_use,
                                                  std::size_t most = std::numeric_limits<std::size_t>::max());

 private:
  struct Impl;
  explicit CodeStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ogni::catalogue
