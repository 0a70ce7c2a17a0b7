#include "catalogue/root_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "base/system.h"
#include "base/text.h"
#include "catalogue/tree.h"
#include "catalogue/utf8_locale.h"

namespace ogni::catalogue {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

struct FreeArchive {
  void operator()(archive* reader) const { ::archive_read_free(reader); }
};

auto refuse(std::string message) { return failure(ErrorCode::kInvalidArgument, std::move(message)); }

std::string words_of(archive* reader) {
  const char* words = ::archive_error_string(reader);
  return words != nullptr ? printable(words) : "unreadable";
}

// Hands libarchive the file's bytes and sums them up on the way.
class Source {
 public:
  explicit Source(int file) : file_(file), buffer_(kReadBytes) {}

  la_ssize_t read(const void** bytes) {
    ssize_t size = 0;
    do {
      size = ::read(file_, buffer_.data(), buffer_.size());
    } while (size < 0 && errno == EINTR);
    if (size < 0) error_ = errno;
    if (size > 0) {
      digest_.add({buffer_.data(), static_cast<std::size_t>(size)});
      facts_.bytes += static_cast<std::uint64_t>(size);
    }
    *bytes = buffer_.data();
    return size;
  }

  // libarchive stops at the end of the archive, which may come before that of the file.
  Result<TarFacts> finish() {
    const void* ignored = nullptr;
    la_ssize_t size = 0;
    while ((size = read(&ignored)) > 0) {
    }
    if (error_ != 0) return failure(Error::from_errno("read the archive", error_));
    facts_.digest = digest_.finish();
    return facts_;
  }
  int error() const { return error_; }

 private:
  int file_;
  std::vector<char> buffer_;
  Sha256Stream digest_;
  TarFacts facts_;
  int error_ = 0;
};

la_ssize_t read_source(archive*, void* source, const void** bytes) { return static_cast<Source*>(source)->read(bytes); }

class TarReader {
 public:
  TarReader(archive* reader, RootBuilder& builder) : reader_(reader), builder_(builder) {}

  Result<void> run() {
    for (;;) {
      archive_entry* entry = nullptr;
      const int status = ::archive_read_next_header(reader_, &entry);
      if (status == ARCHIVE_EOF) return {};
      // A warning is a name that is not the text it says it is, or an attribute that is of no use here.
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
        const bool is_tar = entries_ > 0;
        return refuse((is_tar ? "damaged: " : "not a tar (plain, or compressed by gzip, zstd or xz): ") +
                      words_of(reader_));
      }
      ++entries_;
      const char* name = ::archive_entry_pathname(entry);
      if (name == nullptr) return refuse("an entry has no name");
      if (auto done = take(entry, name); !done) {
        return failure(std::move(done).error().within("entry " + printable(name)));
      }
    }
  }

 private:
  Result<void> take(archive_entry* entry, const std::string& name) {
    auto whiteout = builder_.apply_whiteout(name);
    if (!whiteout) return failure(std::move(whiteout).error());
    if (*whiteout) return {};
    if (const char* target = ::archive_entry_hardlink(entry)) return builder_.add_hard_link(name, target);
    switch (::archive_entry_filetype(entry)) {
      case AE_IFDIR:
        return builder_.add_directory(name);
      case AE_IFREG:
        return take_file(entry, name);
      case AE_IFLNK: {
        const char* target = ::archive_entry_symlink(entry);
        return builder_.add_symbolic_link(name, target != nullptr ? target : "");
      }
      default:
        builder_.leave_out();
        return {};
    }
  }

  Result<void> take_file(archive_entry* entry, const std::string& name) {
    auto file = builder_.add_file(name);
    if (!file) return failure(std::move(file).error());
    std::uint64_t end = 0;
    for (;;) {
      const void* block = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int status = ::archive_read_data_block(reader_, &block, &size, &offset);
      if (status == ARCHIVE_EOF) break;
      if (status != ARCHIVE_OK) return refuse("it is damaged: " + words_of(reader_));
      if (offset < 0 || static_cast<std::uint64_t>(offset) < end) return refuse("its pieces overlap");
      if (auto grown = grow(*file, end, static_cast<std::uint64_t>(offset)); !grown) return grown;
      if (auto counted = builder_.count_bytes(size); !counted) return counted;
      auto written = write_all(file->get(), {static_cast<const char*>(block), size});
      if (!written) return failure(disk_error(std::move(written).error()));
      end += size;
    }
    const auto size = static_cast<std::uint64_t>(std::max<la_int64_t>(::archive_entry_size(entry), 0));
    if (auto grown = grow(*file, end, std::max(size, end)); !grown) return grown;
    std::optional<timespec> modified;
    if (::archive_entry_mtime_is_set(entry) != 0) {
      modified = timespec{.tv_sec = ::archive_entry_mtime(entry), .tv_nsec = ::archive_entry_mtime_nsec(entry)};
    }
    return builder_.finish_file(*file, ::archive_entry_perm(entry), modified);
  }

  // A hole up to `offset`: it takes no room here but in the bound, for whoever copies the file.
  Result<void> grow(const Fd& file, std::uint64_t& end, std::uint64_t offset) {
    if (offset == end) return {};
    if (auto counted = builder_.count_bytes(offset - end); !counted) return counted;
    if (::ftruncate(file.get(), static_cast<off_t>(offset)) != 0 ||
        ::lseek(file.get(), static_cast<off_t>(offset), SEEK_SET) < 0) {
      return failure(disk_error("make a hole"));
    }
    end = offset;
    return {};
  }

  archive* reader_;
  RootBuilder& builder_;
  std::uint64_t entries_ = 0;
};

}  // namespace

Result<TarFacts> read_tar(int file, RootBuilder& builder) {
  const Utf8Locale locale;
  const std::unique_ptr<archive, FreeArchive> reader(::archive_read_new());
  // Not "all": other filters start programs, other formats are not asked for.
  if (!reader || ::archive_read_support_format_tar(reader.get()) != ARCHIVE_OK ||
      ::archive_read_support_format_empty(reader.get()) != ARCHIVE_OK ||
      ::archive_read_support_filter_gzip(reader.get()) != ARCHIVE_OK ||
      ::archive_read_support_filter_zstd(reader.get()) != ARCHIVE_OK ||
      ::archive_read_support_filter_xz(reader.get()) != ARCHIVE_OK) {
    return failure(ErrorCode::kInternal, "make a tar reader");
  }
  Source source(file);
  if (::archive_read_open(reader.get(), &source, nullptr, read_source, nullptr) != ARCHIVE_OK) {
    if (source.error() != 0) return failure(Error::from_errno("read the archive", source.error()));
    return refuse("not a tar (plain, or compressed by gzip, zstd or xz): " + words_of(reader.get()));
  }
  auto done = TarReader(reader.get(), builder).run();
  if (source.error() != 0) return failure(Error::from_errno("read the archive", source.error()));
  if (!done) return failure(std::move(done).error());
  return source.finish();
}

}  // namespace ogni::catalogue
