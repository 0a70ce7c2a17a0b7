#include "catalogue/zip_extractor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/system.h"
#include "base/text.h"
#include "catalogue/entry_path.h"
#include "catalogue/tree.h"
#include "catalogue/zip_reader.h"

namespace ogni::catalogue {

namespace {

constexpr mode_t kModeBits = S_IRWXU | S_IRWXG | S_IRWXO;
constexpr mode_t kImpliedDirectoryMode = 0755;

auto refuse(std::string message) { return failure(ErrorCode::kInvalidArgument, std::move(message)); }

class Extractor {
 public:
  Extractor(ZipReader reader, int root, const ZipLimits& limits) : reader_(reader), root_(root), limits_(limits) {}

  Result<ZipContent> run() {
    attributes_.set("", kImpliedDirectoryMode, std::nullopt);
    for (;;) {
      auto entry = reader_.next();
      if (!entry) return failure(std::move(entry).error());
      if (!*entry) break;
      if (auto done = extract(**entry); !done) {
        return failure(std::move(done).error().within("entry " + printable((*entry)->name)));
      }
    }
    if (content_.entries == 0) return failure(ErrorCode::kNotFound, "the zip is empty");
    parent_.reset();
    if (auto done = attributes_.apply(root_); !done) return failure(std::move(done).error());
    return content_;
  }

 private:
  Result<void> extract(const ZipEntry& entry) {
    if (entry.is_encrypted) return refuse("it is encrypted");
    auto path = parse_entry_path(entry.name);
    if (!path) return failure(std::move(path).error());
    if (path->empty()) {
      if (!S_ISDIR(entry.mode)) return refuse("it stands for the root");
      return count_entry();
    }
    const std::string last = std::move(path->back());
    path->pop_back();
    switch (entry.mode & S_IFMT) {
      case S_IFDIR:
        return make_directory(*path, last, entry);
      case S_IFREG:
        return make_file(*path, last, entry);
      case S_IFLNK:
        return make_link(*path, last, entry);
      default:
        return refuse("it is neither file, directory nor symbolic link");
    }
  }

  Result<void> make_directory(std::vector<std::string>& directories, const std::string& last, const ZipEntry& entry) {
    directories.push_back(last);
    if (auto opened = open_parent(directories); !opened) return failure(std::move(opened).error());
    if (!listed_directories_.insert(parent_path_).second) return refuse("it is there twice");
    attributes_.set(parent_path_, entry.mode & kModeBits, entry.modified);
    return count_entry();  // also counted when implied before: a bound, not a number to show
  }

  Result<void> make_file(const std::vector<std::string>& directories, const std::string& last, const ZipEntry& entry) {
    auto parent = open_parent(directories);
    if (!parent) return failure(std::move(parent).error());
    if (auto counted = count_entry(); !counted) return counted;
    auto file = open_at(*parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!file) return failure(creation_error(std::move(file).error()));
    auto written = reader_.read(entry, [&](std::string_view piece) -> Result<void> {
      if (auto counted = count_bytes(piece.size()); !counted) return counted;
      auto done = write_all(file->get(), piece);
      if (!done) return failure(disk_error(std::move(done).error()));
      return {};
    });
    if (!written) return written;
    const std::array<timespec, 2> times{entry.modified, entry.modified};
    if (::futimens(file->get(), times.data()) != 0) return failure(disk_error("set its time"));
    if (::fchmod(file->get(), entry.mode & kModeBits) != 0) return failure(disk_error("set its mode"));
    return {};
  }

  Result<void> make_link(const std::vector<std::string>& directories, const std::string& last, const ZipEntry& entry) {
    std::string target;
    auto read = reader_.read(entry, [&](std::string_view piece) -> Result<void> {
      if (auto counted = count_bytes(piece.size()); !counted) return counted;
      target += piece;
      return target.size() > kLinkTargetBytesMax ? check_link_target(target) : Result<void>();
    });
    if (!read) return read;
    if (auto taken = check_link_target(target); !taken) return taken;
    auto parent = open_parent(directories);
    if (!parent) return failure(std::move(parent).error());
    if (auto counted = count_entry(); !counted) return counted;
    if (::symlinkat(target.c_str(), *parent, last.c_str()) != 0) {
      return failure(creation_error(Error::from_errno("link")));
    }
    const std::array<timespec, 2> times{entry.modified, entry.modified};
    if (::utimensat(*parent, last.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) {
      return failure(disk_error("set its time"));
    }
    return {};
  }

  // A borrowed descriptor of the directory with these names, made where missing; kept for the next entry,
  // since the entries of a directory mostly follow each other.
  Result<int> open_parent(const std::vector<std::string>& directories) {
    std::string path;
    for (const auto& name : directories) {
      if (!path.empty()) path += '/';
      path += name;
    }
    if (directories.empty()) {
      parent_.reset();
      parent_path_.clear();
      return root_;
    }
    if (parent_ && path == parent_path_) return parent_.get();
    Fd current;
    std::string walked;
    for (const auto& name : directories) {
      const int above = current ? current.get() : root_;
      if (!walked.empty()) walked += '/';
      walked += name;
      auto next = open_or_make(above, name, walked);
      if (!next) return failure(std::move(next).error());
      current = std::move(*next);
    }
    parent_ = std::move(current);
    parent_path_ = std::move(path);
    return parent_.get();
  }

  Result<Fd> open_or_make(int above, const std::string& name, const std::string& path) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    auto opened = open_at(above, name, kFlags);
    if (!opened && opened.error().system_error() == ENOENT) {
      if (auto counted = count_entry(); !counted) return failure(std::move(counted).error());
      if (::mkdirat(above, name.c_str(), 0700) != 0)
        return failure(creation_error(Error::from_errno("make directory")));
      attributes_.set(path, kImpliedDirectoryMode, std::nullopt);
      opened = open_at(above, name, kFlags);
    }
    if (opened) return opened;
    const int err = opened.error().system_error();
    if (err == ELOOP || err == ENOTDIR) return refuse("its path goes through what is no directory");
    return failure(creation_error(std::move(opened).error()));
  }

  static Error creation_error(Error error) {
    const int err = error.system_error();
    if (err == EEXIST) return {ErrorCode::kInvalidArgument, "it is there twice"};
    if (err == ENAMETOOLONG || err == EILSEQ || err == EINVAL) {
      return {ErrorCode::kInvalidArgument, "its name is not one the file system takes"};
    }
    return disk_error(std::move(error));
  }

  Result<void> count_entry() {
    if (++content_.entries <= limits_.entries_max) return {};
    return failure(ErrorCode::kTooLarge, "the zip has more than " + std::to_string(limits_.entries_max) + " entries");
  }

  Result<void> count_bytes(std::size_t bytes) {
    content_.unzipped_bytes += bytes;
    if (content_.unzipped_bytes <= limits_.unzipped_bytes_max) return {};
    return failure(ErrorCode::kTooLarge,
                   "the zip unpacks to more than " + std::to_string(limits_.unzipped_bytes_max) + " bytes");
  }

  ZipReader reader_;
  int root_;
  ZipLimits limits_;
  ZipContent content_;
  Fd parent_;
  std::string parent_path_;
  DirectoryAttributes attributes_;
  std::set<std::string> listed_directories_;
};

}  // namespace

Result<ZipContent> extract_zip(std::string_view zip, int directory, const ZipLimits& limits) {
  auto reader = ZipReader::open(zip);
  if (!reader) return failure(std::move(reader).error());
  return Extractor(*reader, directory, limits).run();
}

}  // namespace ogni::catalogue
