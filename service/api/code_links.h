// URLs under which the daemon gives zips back: what S3's presigned URLs are on AWS. Whoever has the URL may fetch that
// zip for ten minutes; nothing is kept per URL, and a new process forgets all.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "base/text.h"

namespace ogni::service {

class CodeLinks {
 public:
  static constexpr std::chrono::minutes kValidFor{10};
  static constexpr std::string_view kPath = "/_ogni/code/{Sha256}";

  CodeLinks();
  // "http://<host>/_ogni/code/<sha256>?expires=<seconds>&token=<hex>"
  std::string make(std::string_view host, std::string_view sha256_hex, WallTime now) const;
  bool is_valid(std::string_view sha256_hex, std::string_view expires, std::string_view token, WallTime now) const;

 private:
  std::string sign(std::string_view sha256_hex, std::string_view expires) const;
  std::array<unsigned char, 64> key_;
};

}  // namespace ogni::service
