#include "base/text.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>

#include "base/system.h"
#include "base/utf8.h"

namespace ogni {

namespace {

std::string format_time(WallTime time, const char* zone) {
  const long long ms = to_epoch_ms(time);
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 96> text;
  const int size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03d%s", parts.tm_year + 1900,
                                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                                 static_cast<int>(ms % 1000), zone);
  return {text.data(), static_cast<size_t>(size)};
}

constexpr char kHexDigits[] = "0123456789abcdef";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string to_aws_timestamp(WallTime time) { return format_time(time, "+0000"); }
std::string to_iso8601(WallTime time) { return format_time(time, "Z"); }

long long to_epoch_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string make_uuid() {
  std::array<unsigned char, 16> bytes;
  fill_random(bytes);
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  std::string text;
  text.reserve(36);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHexDigits[bytes[i] >> 4];
    text += kHexDigits[bytes[i] & 15];
  }
  return text;
}

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 15];
  }
  return text;
}

std::string to_lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = lower(c);
  return lowered;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = utf8_character(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string printable(std::string_view text, size_t bytes_max) {
  std::string safe;
  std::string_view rest = utf8_prefix(text, bytes_max);
  while (!rest.empty()) {
    const std::size_t length = utf8_character(rest);
    const auto byte = static_cast<unsigned char>(rest.front());
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      safe += "\\x";
      safe += kHexDigits[byte >> 4];
      safe += kHexDigits[byte & 15];
    } else {
      safe += rest.substr(0, length);
    }
    rest.remove_prefix(length == 0 ? 1 : length);
  }
  if (text.size() > bytes_max) safe += "…";
  return safe;
}

}  // namespace ogni
