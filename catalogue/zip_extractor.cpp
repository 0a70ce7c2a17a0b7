#include "catalogue/zip_extractor.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/system.h"
#include "base/text.h"
#include "catalogue/entry_path.h"
#include "catalogue/tree.h"
#include "catalogue/utf8_locale.h"

namespace ogni::catalogue {

namespace {

constexpr mode_t kModeBits = S_IRWXU | S_IRWXG | S_IRWXO;
constexpr mode_t kImpliedDirectoryMode = 0755;

struct FreeArchive {
  void operator()(archive* reader) const { ::archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, FreeArchive>;

auto refuse(std::string message) { return failure(ErrorCode::kInvalidArgument, std::move(message)); }

std::string words_of(archive* reader) {
  const char* words = ::archive_error_string(reader);
  return words != nullptr ? printable(words) : "unreadable";
}

std::optional<timespec> modified_of(archive_entry* entry) {
  if (::archive_entry_mtime_is_set(entry) == 0) return std::nullopt;
  return timespec{.tv_sec = ::archive_entry_mtime(entry), .tv_nsec = ::archive_entry_mtime_nsec(entry)};
}

class Extractor {
 public:
  Extractor(Reader reader, int root, const ZipLimits& limits)
      : reader_(std::move(reader)), root_(root), limits_(limits) {}

  Result<ZipContent> run() {
    attributes_.set("", kImpliedDirectoryMode, std::nullopt);
    for (;;) {
      archive_entry* entry = nullptr;
      const int status = ::archive_read_next_header(reader_.get(), &entry);
      if (status == ARCHIVE_EOF) break;
      // A warning is a name that is no text or a header that contradicts the directory.
      if (status != ARCHIVE_OK) return refuse("the zip is damaged: " + words_of(reader_.get()));
      if (auto done = extract(entry); !done) return failure(std::move(done).error());
    }
    if (content_.entries == 0) return refuse("the zip is empty");
    parent_.reset();
    if (auto done = attributes_.apply(root_); !done) return failure(std::move(done).error());
    return content_;
  }

 private:
  Result<void> extract(archive_entry* entry) {
    const char* name = ::archive_entry_pathname(entry);
    if (name == nullptr) return refuse("an entry has no name");
    auto done = extract(entry, name);
    if (!done) return failure(std::move(done).error().within("entry " + printable(name)));
    return {};
  }

  Result<void> extract(archive_entry* entry, std::string_view name) {
    if (::archive_entry_is_encrypted(entry) != 0) return refuse("it is encrypted");
    if (::archive_entry_hardlink(entry) != nullptr) return refuse("it is a hard link");
    // The other methods of the format are neither AWS's nor bounded in memory. libarchive tells it in words
    // only.
    const std::string_view format = ::archive_format_name(reader_.get());
    if (!format.ends_with("(uncompressed)") && !format.ends_with("(deflation)")) {
      return refuse("it is compressed by another method than deflate");
    }
    auto path = parse_entry_path(name);
    if (!path) return failure(std::move(path).error());
    const mode_t type = ::archive_entry_filetype(entry);
    if (path->empty()) {
      if (type != AE_IFDIR) return refuse("it stands for the root");
      return count_entry();
    }
    const std::string last = std::move(path->back());
    path->pop_back();
    switch (type) {
      case AE_IFDIR:
        return make_directory(*path, last, entry);
      case AE_IFREG:
        return make_file(*path, last, entry);
      case AE_IFLNK:
        return make_link(*path, last, entry);
      default:
        return refuse("it is neither file, directory nor symbolic link");
    }
  }

  Result<void> make_directory(std::vector<std::string>& directories, const std::string& last, archive_entry* entry) {
    directories.push_back(last);
    if (auto opened = open_parent(directories); !opened) return failure(std::move(opened).error());
    if (!listed_directories_.insert(parent_path_).second) return refuse("it is there twice");
    attributes_.set(parent_path_, ::archive_entry_perm(entry) & kModeBits, modified_of(entry));
    return count_entry();  // also counted when implied before: a bound, not a number to show
  }

  Result<void> make_file(const std::vector<std::string>& directories, const std::string& last, archive_entry* entry) {
    auto parent = open_parent(directories);
    if (!parent) return failure(std::move(parent).error());
    if (auto counted = count_entry(); !counted) return counted;
    auto file = open_at(*parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!file) return failure(creation_error(std::move(file).error()));
    if (auto written = write_content(file->get()); !written) return written;
    if (const auto modified = modified_of(entry)) {
      const std::array<timespec, 2> times{*modified, *modified};
      if (::futimens(file->get(), times.data()) != 0) return failure(disk_error("set its time"));
    }
    if (::fchmod(file->get(), ::archive_entry_perm(entry) & kModeBits) != 0) return failure(disk_error("set its mode"));
    return {};
  }

  Result<void> make_link(const std::vector<std::string>& directories, const std::string& last, archive_entry* entry) {
    const char* target = ::archive_entry_symlink(entry);
    if (target == nullptr) return refuse("the link has no target");
    if (auto safe = check_link_target(directories.size(), target); !safe) return safe;
    if (auto counted = count_bytes(std::string_view(target).size()); !counted) return counted;
    auto parent = open_parent(directories);
    if (!parent) return failure(std::move(parent).error());
    if (auto counted = count_entry(); !counted) return counted;
    if (::symlinkat(target, *parent, last.c_str()) != 0) return failure(creation_error(Error::from_errno("link")));
    if (const auto modified = modified_of(entry)) {
      const std::array<timespec, 2> times{*modified, *modified};
      if (::utimensat(*parent, last.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) {
        return failure(disk_error("set its time"));
      }
    }
    return {};
  }

  Result<void> write_content(int file) {
    std::uint64_t written = 0;
    for (;;) {
      const void* block = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int status = ::archive_read_data_block(reader_.get(), &block, &size, &offset);
      if (status == ARCHIVE_EOF) return {};
      // A warning is a wrong checksum or a length that the headers deny.
      if (status != ARCHIVE_OK) return refuse("it is damaged: " + words_of(reader_.get()));
      if (size == 0) continue;
      if (offset < 0 || static_cast<std::uint64_t>(offset) != written) return refuse("it has holes");
      if (auto counted = count_bytes(size); !counted) return counted;
      auto done = write_all(file, {static_cast<const char*>(block), size});
      if (!done) return failure(disk_error(std::move(done).error()));
      written += size;
    }
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

  Reader reader_;
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
  const Utf8Locale locale;
  Reader reader(::archive_read_new());
  if (!reader || ::archive_read_support_format_zip_seekable(reader.get()) != ARCHIVE_OK) {
    return failure(ErrorCode::kInternal, "make a zip reader");
  }
  // libarchive only reads what it is given, whatever the type says.
  if (::archive_read_open_memory(reader.get(), zip.data(), zip.size()) != ARCHIVE_OK) {
    return refuse("not a zip: " + words_of(reader.get()));
  }
  return Extractor(std::move(reader), directory, limits).run();
}

}  // namespace ogni::catalogue
