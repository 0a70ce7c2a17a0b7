// For tests: zips byte by byte, so that they can lie.
#pragma once

#include <boost/crc.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ogni::catalogue {

struct TestEntry {
  std::string name;
  std::string content = {};
  std::uint32_t mode = 0100644;  // type and permissions; 0 = none said
  std::uint8_t host = 3;         // 3 = Unix, 0 = MS-DOS
  std::uint16_t method = 0;      // of the headers; the content is stored or, with 8, in deflate's stored blocks
  std::uint16_t flags = 0;
  bool data_descriptor = false;                    // sizes and checksum after the content, as when streamed
  std::optional<std::string> local_name = {};      // where the local header says another than the directory
  std::optional<std::uint32_t> crc = {};           // a lie
  std::optional<std::uint32_t> compressed = {};    // a lie
  std::optional<std::uint32_t> uncompressed = {};  // a lie
  std::string extra = {};                          // extra fields of the directory
  bool zip64 = false;                              // sizes and place are in an extra field
};

class TestZip {
 public:
  TestZip() = default;
  TestZip(std::initializer_list<TestEntry> entries) {
    for (const auto& entry : entries) add(entry);
  }

  TestZip& add(const TestEntry& entry) {
    boost::crc_32_type checksum;
    checksum.process_bytes(entry.content.data(), entry.content.size());
    const std::string packed = entry.method == 8 ? deflate_stored(entry.content) : entry.content;
    const std::uint32_t crc = entry.crc.value_or(checksum.checksum());
    const auto compressed = entry.compressed.value_or(static_cast<std::uint32_t>(packed.size()));
    const auto uncompressed = entry.uncompressed.value_or(static_cast<std::uint32_t>(entry.content.size()));
    const auto flags = static_cast<std::uint16_t>(entry.flags | (entry.data_descriptor ? 8 : 0));
    const std::string local_name = entry.local_name.value_or(entry.name);
    const auto offset = static_cast<std::uint32_t>(bytes_.size());

    bytes_ += "PK\x03\x04" + two(20) + two(flags) + two(entry.method) + two(0) + two(33);
    bytes_ += entry.data_descriptor ? std::string(12, '\0') : four(crc) + four(compressed) + four(uncompressed);
    bytes_ += two(local_name.size()) + two(0) + local_name + packed;
    if (entry.data_descriptor) bytes_ += "PK\x07\x08" + four(crc) + four(compressed) + four(uncompressed);

    const std::uint32_t attributes = entry.host == 3 ? entry.mode << 16 : (entry.name.ends_with('/') ? 0x10 : 0x20);
    directory_ += "PK\x01\x02";
    const std::string in_zip64 =
        entry.zip64 ? two(1) + two(24) + eight(uncompressed) + eight(compressed) + eight(offset) : "";
    const auto or_zip64 = [&](std::uint32_t value) { return four(entry.zip64 ? 0xffff'ffff : value); };
    directory_ += two(static_cast<std::uint32_t>(entry.host << 8 | 20)) + two(20) + two(flags) + two(entry.method) +
                  two(0) + two(33) + four(crc) + or_zip64(compressed) + or_zip64(uncompressed) +
                  two(entry.name.size()) + two(in_zip64.size() + entry.extra.size()) + two(0) + two(0) + two(0) +
                  four(attributes) + or_zip64(offset) + entry.name + in_zip64 + entry.extra;
    ++entries_;
    return *this;
  }

  std::string bytes(std::string_view comment = "") const {
    std::string whole = bytes_ + directory_;
    whole += "PK\x05\x06" + two(0) + two(0) + two(entries_) + two(entries_) + four(directory_.size()) +
             four(bytes_.size()) + two(comment.size());
    whole += comment;
    return whole;
  }

  // With the end records of zip64.
  std::string bytes64() const {
    std::string whole = bytes_ + directory_;
    const std::size_t record = whole.size();
    whole += "PK\x06\x06" + eight(44) + two(45) + two(45) + four(0) + four(0) + eight(entries_) + eight(entries_) +
             eight(directory_.size()) + eight(bytes_.size());
    whole += "PK\x06\x07" + four(0) + eight(record) + four(1);
    whole +=
        "PK\x05\x06" + two(0) + two(0) + two(0xffff) + two(0xffff) + four(0xffff'ffff) + four(0xffff'ffff) + two(0);
    return whole;
  }

  static std::string eight(std::size_t value) { return four(value & 0xffff'ffff) + four(value >> 32); }
  static std::string two(std::size_t value) {
    return {static_cast<char>(value & 0xff), static_cast<char>(value >> 8 & 0xff)};
  }
  static std::string four(std::size_t value) { return two(value & 0xffff) + two(value >> 16 & 0xffff); }

 private:
  // Deflate without compressing: blocks of up to 64 KiB - 1 bytes.
  static std::string deflate_stored(std::string_view content) {
    std::string packed;
    do {
      const std::string_view block = content.substr(0, 0xffff);
      content.remove_prefix(block.size());
      packed += content.empty() ? '\x01' : '\0';
      packed += two(block.size()) + two(~block.size() & 0xffff);
      packed += block;
    } while (!content.empty());
    return packed;
  }

  std::string bytes_;
  std::string directory_;
  std::size_t entries_ = 0;
};

}  // namespace ogni::catalogue
