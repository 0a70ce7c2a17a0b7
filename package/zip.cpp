#include "package/zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/fd.h"
#include "base/system.h"
#include "base/text.h"

namespace ogni::package {
namespace {

namespace fs = std::filesystem;

// libarchive asks the locale how file names are encoded. This thread speaks UTF-8 for as long as this lives.
class Utf8Locale {
 public:
  Utf8Locale() : utf8_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{})), before_(::uselocale(utf8_)) {}
  ~Utf8Locale() {
    ::uselocale(before_);
    if (utf8_ != locale_t{}) ::freelocale(utf8_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t utf8_;
  locale_t before_;
};

struct Source {
  std::string name;  // in the zip: relative, with '/'
  std::string path;  // on the host; empty for an extra file
  const ExtraFile* extra = nullptr;
  struct ::stat status{};
};

std::string in_quotes(std::string_view path) { return "'" + printable(path, 4096) + "'"; }

bool is_left_out(const fs::path& name, bool in_top) {
  return name == ".git" || name == "__pycache__" || (in_top && name.extension() == ".zip");
}

const char* kind_of(mode_t mode) {
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

struct Collection {
  std::vector<Source> sources;
  std::vector<std::string> left_out;
  std::uint64_t bytes = 0;
};

Result<void> add(Collection& found, Source source, const ZipOptions& options) {
  const mode_t mode = source.status.st_mode;
  if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode)) {
    return failure(ErrorCode::kInvalidArgument,
                   in_quotes(source.path) + " is " + kind_of(mode) + ": a zip holds files, folders and symbolic links");
  }
  if (!is_utf8(source.name)) {
    return failure(ErrorCode::kInvalidArgument, in_quotes(source.path) + ": the name is not UTF-8");
  }
  if (S_ISREG(mode)) found.bytes += static_cast<std::uint64_t>(source.status.st_size);
  if (found.bytes > options.unzipped_bytes_max) {
    return failure(ErrorCode::kTooLarge, "the folder holds more than " + std::to_string(options.unzipped_bytes_max) +
                                             " bytes, the most that a function may unzip to");
  }
  if (found.sources.size() >= options.entries_max) {
    return failure(ErrorCode::kTooLarge,
                   "the folder holds more than " + std::to_string(options.entries_max) + " entries");
  }
  found.sources.push_back(std::move(source));
  return {};
}

// Walks without following links, so it ends; folders still to be read wait in a list rather than on the
// stack.
Result<Collection> collect(const std::string& directory, const ZipOptions& options) {
  Collection found;
  std::vector<std::string> folders{""};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    std::error_code error;
    const fs::path host = fs::path(directory) / folder;
    for (fs::directory_iterator at(host, error), end; !error && at != end; at.increment(error)) {
      const fs::path file_name = at->path().filename();
      Source source;
      source.name = folder + file_name.string();
      source.path = at->path().string();
      if (is_left_out(file_name, folder.empty())) {
        found.left_out.push_back(source.name);
        continue;
      }
      if (::lstat(source.path.c_str(), &source.status) != 0) return failure(Error::from_errno(in_quotes(source.path)));
      if (S_ISDIR(source.status.st_mode)) {
        source.name += '/';
        folders.push_back(source.name);
      }
      if (auto added = add(found, std::move(source), options); !added) return failure(added.error());
    }
    if (error) return failure(Error::from_errno("read folder " + in_quotes(host.string()), error.value()));
  }
  return found;
}

Result<void> add_extras(Collection& found, const ZipOptions& options) {
  for (const ExtraFile& extra : options.extra) {
    const bool taken = std::ranges::any_of(
        found.sources, [&](const Source& s) { return s.name == extra.path || s.name == extra.path + "/"; });
    if (taken) return failure(ErrorCode::kInvalidArgument, "the folder has " + in_quotes(extra.path) + " already");
    Source source{.name = extra.path, .path = {}, .extra = &extra};
    source.status.st_mode = S_IFREG | (extra.mode & 0777);
    source.status.st_size = static_cast<off_t>(extra.bytes.size());
    if (auto added = add(found, std::move(source), options); !added) return failure(added.error());
  }
  return {};
}

class Writer {
 public:
  explicit Writer(const ZipOptions& options) : options_(options), archive_(::archive_write_new()) {}

  Result<void> open() {
    ::archive_write_set_format_zip(archive_.get());
    ::archive_write_set_bytes_per_block(archive_.get(), 0);  // no padding at the end
    const bool is_open =
        checked(::archive_write_set_options(archive_.get(), "zip:compression=deflate,zip:hdrcharset=UTF-8")) &&
        checked(::archive_write_open(archive_.get(), this, nullptr, &Writer::on_bytes, nullptr));
    if (!is_open) return failed("zip");
    return {};
  }

  Result<void> write(const Source& source, const std::function<void(std::size_t)>& on_read) {
    std::unique_ptr<::archive_entry, Freer> entry(::archive_entry_new());
    const mode_t mode = source.status.st_mode;
    ::archive_entry_set_pathname(entry.get(), source.name.c_str());
    ::archive_entry_set_mode(entry.get(), (mode & S_IFMT) | (mode & 0777));
    if (options_.timestamps == Timestamps::kKept && !source.path.empty()) {
      ::archive_entry_set_mtime(entry.get(), source.status.st_mtime, 0);
    }
    if (S_ISLNK(mode)) return write_link(source, entry.get());
    ::archive_entry_set_size(entry.get(), S_ISREG(mode) ? source.status.st_size : 0);
    if (!S_ISREG(mode)) return header(source, entry.get());
    if (source.extra != nullptr) {
      if (auto done = header(source, entry.get()); !done) return done;
      on_read(source.extra->bytes.size());
      return data(source, source.extra->bytes);
    }
    return write_file(source, entry.get(), on_read);
  }

  Result<std::string> finish() && {
    if (!checked(::archive_write_close(archive_.get()))) return failure(failed("zip").error());
    return std::move(bytes_);
  }

 private:
  struct Freer {
    void operator()(::archive* a) const { ::archive_write_free(a); }
    void operator()(::archive_entry* e) const { ::archive_entry_free(e); }
  };

  static la_ssize_t on_bytes(::archive*, void* self, const void* data, std::size_t size) {
    auto& writer = *static_cast<Writer*>(self);
    // Refusing would put libarchive into a state in which it never frees its compressor; so what is too much is dropped.
    writer.is_full_ = writer.is_full_ || size > writer.options_.zip_bytes_max - writer.bytes_.size();
    if (!writer.is_full_) writer.bytes_.append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  }

  bool checked(int status) const { return status == ARCHIVE_OK && !is_full_; }

  Result<void> failed(std::string_view doing) {
    if (is_full_) {
      return failure(ErrorCode::kTooLarge, "the zip is larger than " + std::to_string(options_.zip_bytes_max) +
                                               " bytes, the most that can be uploaded");
    }
    const char* words = ::archive_error_string(archive_.get());
    return failure(ErrorCode::kIo, std::string(doing) + ": " + (words != nullptr ? words : "cannot be written"));
  }

  Result<void> header(const Source& source, ::archive_entry* entry) {
    if (!checked(::archive_write_header(archive_.get(), entry))) return failed(in_quotes(source.name));
    return {};
  }

  Result<void> data(const Source& source, std::string_view bytes) {
    while (!bytes.empty()) {
      const la_ssize_t written = ::archive_write_data(archive_.get(), bytes.data(), bytes.size());
      if (written <= 0 || is_full_) return failed(in_quotes(source.name));
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<void> write_link(const Source& source, ::archive_entry* entry) {
    std::error_code error;
    const fs::path target = fs::read_symlink(source.path, error);
    if (error) return failure(Error::from_errno("read link " + in_quotes(source.path), error.value()));
    if (!is_utf8(target.string())) {
      return failure(ErrorCode::kInvalidArgument, in_quotes(source.path) + ": the link's target is not UTF-8");
    }
    ::archive_entry_set_symlink(entry, target.c_str());
    ::archive_entry_set_size(entry, 0);
    return header(source, entry);
  }

  Result<void> write_file(const Source& source, ::archive_entry* entry,
                          const std::function<void(std::size_t)>& on_read) {
    auto file = open_file(source.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) return failure(Error::from_errno("open " + in_quotes(source.path), file.error().system_error()));
    if (auto done = header(source, entry); !done) return done;
    auto left = static_cast<std::uint64_t>(source.status.st_size);
    while (left > 0) {
      const ssize_t got = ::read(file->get(), buffer_.data(), std::min<std::uint64_t>(buffer_.size(), left));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failure(Error::from_errno("read " + in_quotes(source.path)));
      if (got == 0) break;
      const auto size = static_cast<std::size_t>(got);
      if (auto done = data(source, {buffer_.data(), size}); !done) return done;
      left -= size;
      on_read(size);
    }
    char beyond = 0;
    if (left > 0 || ::read(file->get(), &beyond, 1) != 0) {
      return failure(ErrorCode::kIo, in_quotes(source.path) + " changed while it was read: try again");
    }
    return {};
  }

  const ZipOptions& options_;
  std::string bytes_;
  bool is_full_ = false;
  std::array<char, 64 * 1024> buffer_{};
  std::unique_ptr<::archive, Freer> archive_;  // goes first: freeing one that failed still writes to bytes_
};

}  // namespace

Result<Zip> zip_directory(const std::string& directory, const ZipOptions& options) {
  struct ::stat status{};
  if (::stat(directory.c_str(), &status) != 0) return failure(Error::from_errno(in_quotes(directory)));
  if (!S_ISDIR(status.st_mode)) return failure(ErrorCode::kInvalidArgument, in_quotes(directory) + " is not a folder");
  auto found = collect(directory, options);
  if (!found) return failure(found.error());
  if (auto added = add_extras(*found, options); !added) return failure(added.error());
  if (found->sources.empty()) {
    return failure(ErrorCode::kInvalidArgument, in_quotes(directory) + " is empty: there is nothing to pack");
  }
  std::ranges::sort(found->sources, {}, &Source::name);
  std::ranges::sort(found->left_out);

  const Utf8Locale locale;
  auto writer = std::make_unique<Writer>(options);
  if (auto opened = writer->open(); !opened) return failure(opened.error());
  std::uint64_t done = 0;
  const auto on_read = [&](std::size_t size) {
    done += size;
    if (options.progress) options.progress(done, found->bytes);
  };
  for (const Source& source : found->sources) {
    if (auto written = writer->write(source, on_read); !written) return failure(written.error());
  }
  auto bytes = std::move(*writer).finish();
  if (!bytes) return failure(bytes.error());
  return Zip{.bytes = std::move(*bytes),
             .entries = found->sources.size(),
             .unzipped_bytes = found->bytes,
             .left_out = std::move(found->left_out)};
}

}  // namespace ogni::package
