// Directory trees by descriptor: list, remove, sync, and give directories their modes at the end.
#pragma once

#include <sys/stat.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ogni::catalogue {

// kLimit for a full disk, otherwise kIo; `doing` as in Error::from_errno.
[[nodiscard]] Error disk_error(std::string_view doing, int err = errno);
// An error of base/system.h, seen the same way.
[[nodiscard]] Error disk_error(Error error);

// The names in a directory, without "." and "..".
[[nodiscard]] Result<std::vector<std::string>> list_directory(int directory);

// Removes `name` and, if it is a directory, all below it; links are not followed. What is not there is a
// success. Directories that their owner may not read are made readable first. Errors: kIo.
[[nodiscard]] Result<void> remove_tree(int parent, const std::string& name);

// Makes durable what is below `directory`, with the rest of its file system: on ext4 that takes a half to a
// quarter of the time of syncing ten files each by itself when the disk is busy, and does not grow with their
// number. Errors: kLimit for a full disk; kIo.
[[nodiscard]] Result<void> sync_tree(int directory);

// Modes and times of directories, put on when nothing more is to be written into them.
class DirectoryAttributes {
 public:
  // `path` is relative to the root, "" for the root itself. The last word counts.
  void set(const std::string& path, mode_t mode, const std::optional<timespec>& modified);
  // Forgets `path` and all below it.
  void forget(const std::string& path);
  // To every directory named, those below before those above. Errors: kIo.
  [[nodiscard]] Result<void> apply(int root) const;
  std::size_t size() const { return attributes_.size(); }

 private:
  struct Attributes {
    mode_t mode;
    std::optional<timespec> modified;
  };
  std::map<std::string, Attributes> attributes_;
};

}  // namespace ogni::catalogue
