#include "catalogue/zip_reader.h"

#include <zlib.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <memory>

#include "base/text.h"

namespace ogni::catalogue {

namespace {

constexpr std::string_view kLocalHeader = "PK\x03\x04";
constexpr std::string_view kDirectoryHeader = "PK\x01\x02";
constexpr std::string_view kEnd = "PK\x05\x06";
constexpr std::string_view kEnd64 = "PK\x06\x06";
constexpr std::string_view kEnd64Locator = "PK\x06\x07";
constexpr std::size_t kLocalHeaderBytes = 30;
constexpr std::size_t kDirectoryHeaderBytes = 46;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kEnd64LocatorBytes = 20;
constexpr std::size_t kPieceBytes = 64 * 1024;

constexpr unsigned kEncrypted = 1U << 0;
constexpr unsigned kUtf8Name = 1U << 11;
constexpr unsigned kHostMsDos = 0;
constexpr unsigned kHostUnix = 3;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
constexpr std::uint32_t kInZip64 = 0xffff'ffff;

auto refuse(std::string message) { return failure(ErrorCode::kInvalidArgument, std::move(message)); }
auto damaged(const char* how) { return refuse(std::string("it is damaged: ") + how); }
auto damaged_zip(const char* how) { return refuse(std::string("the zip is damaged: ") + how); }

// A little-endian number; the caller has looked that it is there.
std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  return value;
}
std::uint16_t two(std::string_view bytes, std::size_t at) { return static_cast<std::uint16_t>(number(bytes, at, 2)); }
std::uint32_t four(std::string_view bytes, std::size_t at) { return static_cast<std::uint32_t>(number(bytes, at, 4)); }
std::uint64_t eight(std::string_view bytes, std::size_t at) { return number(bytes, at, 8); }

std::uint32_t checksum_of(std::string_view bytes, std::uint32_t before = 0) {
  return static_cast<std::uint32_t>(
      ::crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<z_size_t>(bytes.size())));
}

struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t end = 0;  // where it must end in the file
};

Result<std::optional<Directory>> find_directory64(std::string_view zip, std::size_t end) {
  if (end < kEnd64LocatorBytes) return std::nullopt;
  const std::string_view locator = zip.substr(end - kEnd64LocatorBytes, kEnd64LocatorBytes);
  if (!locator.starts_with(kEnd64Locator)) return std::nullopt;
  // The record stands right before its locator, unless it has an extension; then its offset must be right.
  const std::uint64_t beside = end - kEnd64LocatorBytes;
  for (const std::uint64_t at : {beside - std::min<std::uint64_t>(beside, kEnd64Bytes), eight(locator, 8)}) {
    if (at > beside || beside - at < kEnd64Bytes) continue;
    const std::string_view record = zip.substr(at, kEnd64Bytes);
    if (!record.starts_with(kEnd64)) continue;
    return Directory{.offset = eight(record, 48), .bytes = eight(record, 40), .end = at};
  }
  return damaged_zip("its zip64 record is not where it should be");
}

Result<Directory> find_directory(std::string_view zip) {
  for (std::size_t at = zip.rfind(kEnd); at != std::string_view::npos; at = at == 0 ? at : zip.rfind(kEnd, at - 1)) {
    if (zip.size() - at >= kEndBytes) {
      const std::string_view record = zip.substr(at, kEndBytes);
      Directory found{.offset = four(record, 16), .bytes = four(record, 12), .end = at};
      const bool is_in_parts = two(record, 4) != 0 || two(record, 6) != 0;
      auto larger = find_directory64(zip, at);
      if (!larger) return failure(std::move(larger).error());
      if (*larger) found = **larger;
      if (zip.size() - at - kEndBytes >= two(record, 20) && found.bytes <= found.end) {
        if (is_in_parts && !*larger) return damaged_zip("it is a part of a split zip");
        return found;
      }
    }
    if (at == 0 || zip.size() - at > kEndBytes + 2 * 0xffff) break;
  }
  return refuse("not a zip: no end of a central directory");
}

mode_t mode_of(unsigned host, std::uint32_t attributes, std::string_view name) {
  constexpr std::uint32_t kMsDosReadOnly = 0x01;
  constexpr std::uint32_t kMsDosDirectory = 0x10;
  mode_t mode = 0;
  if (host == kHostUnix) {
    mode = static_cast<mode_t>(attributes >> 16);
  } else if (host == kHostMsDos) {
    mode = (attributes & kMsDosDirectory) != 0 ? S_IFDIR | 0775 : S_IFREG | 0664;
    if ((attributes & kMsDosReadOnly) != 0) mode &= S_IFMT | 0555;
  }
  if (mode == 0) mode = 0664;
  // Info-ZIP lists what it has read from a pipe as a pipe.
  if (S_ISFIFO(mode)) mode = (mode & ~static_cast<mode_t>(S_IFMT)) | S_IFREG;
  if (!S_ISDIR(mode) && name.ends_with('/')) mode = (mode & 07777) | S_IFDIR | 0111;
  if ((mode & S_IFMT) == 0) mode |= S_IFREG;
  return mode;
}

// MS-DOS has no time zone; UTC is what AWS's and our own functions run in.
timespec time_of(std::uint16_t time, std::uint16_t date) {
  std::tm fields{};
  fields.tm_sec = (time & 0x1f) * 2;
  fields.tm_min = time >> 5 & 0x3f;
  fields.tm_hour = time >> 11;
  fields.tm_mday = date & 0x1f;
  fields.tm_mon = (date >> 5 & 0x0f) - 1;
  fields.tm_year = (date >> 9) + 80;
  return {.tv_sec = ::timegm(&fields), .tv_nsec = 0};
}

bool take_zip64(ZipEntry& entry, std::string_view field) {
  for (std::uint64_t* value : {&entry.bytes, &entry.packed_bytes, &entry.place}) {
    if (*value != kInZip64) continue;
    if (field.size() < 8) return false;
    *value = eight(field, 0);
    field.remove_prefix(8);
  }
  return true;
}

bool take_extra(ZipEntry& entry, std::string_view extra) {
  constexpr std::uint16_t kZip64 = 0x0001;
  constexpr std::uint16_t kTimes = 0x5455;
  constexpr std::uint16_t kUnicodeName = 0x7075;
  while (extra.size() >= 4) {
    const std::uint16_t kind = two(extra, 0);
    const std::string_view field = extra.substr(4, two(extra, 2));
    extra.remove_prefix(4 + field.size());
    if (kind == kZip64 && !take_zip64(entry, field)) return false;
    if (kind == kTimes && field.size() >= 5 && (field[0] & 1) != 0) {
      entry.modified = {.tv_sec = static_cast<std::int32_t>(four(field, 1)), .tv_nsec = 0};
    }
    // The checksum tells whether the name was changed by who did not know of the field.
    if (kind == kUnicodeName && field.size() > 5 && field[0] == 1 && four(field, 1) == checksum_of(entry.name) &&
        is_utf8(field.substr(5))) {
      entry.name = field.substr(5);
    }
  }
  return true;
}

class Inflater {
 public:
  Inflater() : stream_(std::make_unique<z_stream>()) {}
  ~Inflater() {
    if (is_open_) ::inflateEnd(stream_.get());
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool open(std::string_view packed) {
    if (packed.size() > std::numeric_limits<uInt>::max()) return false;
    // zlib only reads what it is given, whatever the type says.
    stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_->avail_in = static_cast<uInt>(packed.size());
    is_open_ = ::inflateInit2(stream_.get(), -MAX_WBITS) == Z_OK;
    return is_open_;
  }
  // The next bytes, none at the end; nothing if they are damaged.
  std::optional<std::string_view> next(std::string& piece) {
    if (is_over_) return std::string_view();
    stream_->next_out = reinterpret_cast<Bytef*>(piece.data());
    stream_->avail_out = static_cast<uInt>(piece.size());
    const int status = ::inflate(stream_.get(), Z_NO_FLUSH);
    is_over_ = status == Z_STREAM_END;
    if (status != Z_OK && !is_over_) return std::nullopt;
    return std::string_view(piece).substr(0, piece.size() - stream_->avail_out);
  }

 private:
  std::unique_ptr<z_stream> stream_;  // keeps its address
  bool is_open_ = false;
  bool is_over_ = false;
};

}  // namespace

Result<ZipReader> ZipReader::open(std::string_view zip) {
  auto directory = find_directory(zip);
  if (!directory) return failure(std::move(directory).error());
  const std::uint64_t begin = directory->end - directory->bytes;
  // Programs that put bytes before a zip need not correct its offsets.
  if (begin < directory->offset) return damaged_zip("its central directory is not where it should be");
  return ZipReader(zip, zip.substr(begin, directory->bytes), begin - directory->offset);
}

Result<std::optional<ZipEntry>> ZipReader::next() {
  if (directory_.empty()) return std::nullopt;
  const std::string_view header = directory_.substr(0, kDirectoryHeaderBytes);
  if (header.size() < kDirectoryHeaderBytes || !header.starts_with(kDirectoryHeader)) {
    return damaged_zip("its central directory is cut or has what is no entry");
  }
  const std::size_t name_bytes = two(header, 28);
  const std::size_t extra_bytes = two(header, 30);
  const std::size_t whole = kDirectoryHeaderBytes + name_bytes + extra_bytes + two(header, 32);
  if (directory_.size() < whole) return damaged_zip("its central directory is cut");
  ZipEntry entry;
  entry.name = directory_.substr(kDirectoryHeaderBytes, name_bytes);
  const std::string_view extra = directory_.substr(kDirectoryHeaderBytes + name_bytes, extra_bytes);
  directory_.remove_prefix(whole);

  const unsigned flags = two(header, 8);
  const auto refuse_entry = [&](const char* how) {
    return refuse("entry " + printable(entry.name) + ": it is damaged: " + how);
  };
  if ((flags & kUtf8Name) != 0 && !is_utf8(entry.name)) return refuse_entry("its name is marked as UTF-8 and is not");
  entry.is_encrypted = (flags & kEncrypted) != 0;
  entry.method = two(header, 10);
  entry.modified = time_of(two(header, 12), two(header, 14));
  entry.checksum = four(header, 16);
  entry.packed_bytes = four(header, 20);
  entry.bytes = four(header, 24);
  entry.place = four(header, 42);
  if (!take_extra(entry, extra)) return refuse_entry("its zip64 field is cut");
  entry.mode = mode_of(static_cast<unsigned char>(header[5]), four(header, 38), entry.name);
  return entry;
}

Result<std::string_view> ZipReader::packed_content(const ZipEntry& entry) const {
  const std::uint64_t room = zip_.size() - base_;
  if (entry.place > room || room - entry.place < kLocalHeaderBytes) return damaged("it begins beyond the end");
  const std::string_view header = zip_.substr(base_ + entry.place, kLocalHeaderBytes);
  if (!header.starts_with(kLocalHeader)) return damaged("it has no header");
  const std::uint64_t begin = entry.place + kLocalHeaderBytes + two(header, 26) + two(header, 28);
  if (begin > room || room - begin < entry.packed_bytes) return damaged("it ends beyond the end");
  return zip_.substr(base_ + begin, entry.packed_bytes);
}

Result<void> ZipReader::read(const ZipEntry& entry, const Take& take) const {
  if (entry.is_encrypted) return refuse("it is encrypted");
  if (entry.method != kStored && entry.method != kDeflated) {
    return refuse("it is compressed by another method than deflate");
  }
  auto packed = packed_content(entry);
  if (!packed) return failure(std::move(packed).error());
  if (entry.method == kStored && entry.bytes != entry.packed_bytes)
    return damaged("it has another length than it says");
  std::string piece;
  Inflater inflater;
  if (entry.method == kDeflated) {
    piece.resize(kPieceBytes);
    if (!inflater.open(*packed)) return failure(ErrorCode::kInternal, "make an inflater");
  }
  std::uint64_t read = 0;
  std::uint32_t checksum = 0;
  for (;;) {
    std::string_view part = packed->substr(0, kPieceBytes);
    if (entry.method == kDeflated) {
      const auto inflated = inflater.next(piece);
      if (!inflated) return damaged("it cannot be inflated");
      part = *inflated;
    } else {
      packed->remove_prefix(part.size());
    }
    if (part.empty()) break;
    read += part.size();
    if (read > entry.bytes) return damaged("it is longer than it says");
    checksum = checksum_of(part, checksum);
    if (auto taken = take(part); !taken) return taken;
  }
  if (read != entry.bytes) return damaged("it is shorter than it says");
  if (checksum != entry.checksum) return damaged("its checksum is wrong");
  return {};
}

}  // namespace ogni::catalogue
