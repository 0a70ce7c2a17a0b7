// Root file systems by name, for functions that are to run on other files than the host's.
//
//   <data>/rootfs/<name>/tree/      the files, never changed
//   <data>/rootfs/<name>/info.json  where they are from
//
// One appears at once by rename(2), synced, and disappears so; whoever is killed in the middle leaves a directory under a
// name with a dot, which the next one removes. Several processes share the store, the service and any number of `ogni
// rootfs`: flock(2) on an entry's directory says that it is in use, and its files go only when it is not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "catalogue/root_import.h"

namespace ogni::catalogue {

// Letters, digits, ".", "_" and "-", at most 64, the first a letter or digit; not "host", which means none of these.
bool is_root_name(std::string_view name);
inline constexpr std::string_view kHostRoot = "host";

struct RootInfo {
  std::string name;
  std::string system;  // PRETTY_NAME of its /etc/os-release; empty without
  std::string kind;    // as ImportedRoot
  std::string source;  // as the importer called it
  std::string digest;
  std::string platform;
  std::string imported;  // ISO 8601
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t left_out = 0;
};

// While it lives, the files stay.
struct HeldRoot {
  Fd lock;
  Fd tree;  // O_PATH
};

class RootStore {
 public:
  // Below the data directory (an open descriptor, borrowed for the call). Errors: kIo.
  [[nodiscard]] static Result<RootStore> open(int data);
  // The same, without making anything: nothing where there is no store yet.
  [[nodiscard]] static Result<std::optional<RootStore>> open_existing(int data);

  enum class Existing { kKeep, kReplace };
  // Errors: those of import_root(); kInvalidArgument for the name; kConflict where it is taken and to be kept.
  [[nodiscard]] Result<RootInfo> import(const std::string& name, int source, const std::string& source_words,
                                        const ImportWish& wish, Existing existing);
  // By name. One whose info cannot be read is listed by its name alone.
  [[nodiscard]] Result<std::vector<RootInfo>> list() const;
  enum class Removed { kWhole, kWhenUnused };
  // Errors: kNotFound.
  [[nodiscard]] Result<Removed> remove(const std::string& name);
  // Errors: kNotFound. Quick.
  [[nodiscard]] Result<HeldRoot> hold(const std::string& name) const;
  // Whether the name still stands for what `lock` is of.
  bool is_current(const std::string& name, const Fd& lock) const;
  // Removes what was taken away and is not in use any more, and what killed imports left.
  [[nodiscard]] Result<void> sweep();

 private:
  explicit RootStore(Fd directory) : directory_(std::move(directory)) {}
  Result<Fd> lock() const;
  Result<void> sweep_locked();
  Result<void> place(const std::string& draft, const std::string& name, Existing existing);

  Fd directory_;
};

}  // namespace ogni::catalogue
