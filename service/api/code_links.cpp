#include "service/api/code_links.h"

#include <charconv>

#include "base/digest.h"
#include "base/system.h"

namespace ogni::service {
namespace {

long long seconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// Takes as long for any two texts of one length.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  }
  return difference == 0;
}

}  // namespace

CodeLinks::CodeLinks() { fill_random(key_); }

// HMAC-SHA-256 (RFC 2104) with a key of one block.
std::string CodeLinks::sign(std::string_view sha256_hex, std::string_view expires) const {
  std::string inner;
  std::string outer;
  for (const unsigned char byte : key_) {
    inner += static_cast<char>(byte ^ 0x36);
    outer += static_cast<char>(byte ^ 0x5c);
  }
  inner.append(sha256_hex).append("\n").append(expires);
  const Sha256 digest = sha256(inner);
  outer.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return to_hex(sha256(outer));
}

std::string CodeLinks::make(std::string_view host, std::string_view sha256_hex, WallTime now) const {
  const std::string expires = std::to_string(seconds_of(now + kValidFor));
  std::string url = "http://";
  url.append(host).append("/_ogni/code/").append(sha256_hex);
  url.append("?expires=").append(expires).append("&token=").append(sign(sha256_hex, expires));
  return url;
}

bool CodeLinks::is_valid(std::string_view sha256_hex, std::string_view expires, std::string_view token,
                         WallTime now) const {
  long long until = 0;
  const auto [end, error] = std::from_chars(expires.data(), expires.data() + expires.size(), until);
  if (error != std::errc() || end != expires.data() + expires.size()) return false;
  return seconds_of(now) <= until && equal_in_constant_time(token, sign(sha256_hex, expires));
}

}  // namespace ogni::service
