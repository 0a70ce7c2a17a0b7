// SHA-256 and base64 by OpenSSL.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ogni {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);
std::string to_hex(const Sha256& digest);

// The same of bytes that come in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  ~Sha256Stream();
  void add(std::string_view bytes);
  Sha256 finish();  // once; nothing may be added afterwards

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Standard base64 with padding.
std::string to_base64(std::string_view bytes);
// Strict: errors with kInvalidArgument for characters, padding or a length that base64 does not have.
// Line breaks are accepted, because some clients wrap.
[[nodiscard]] Result<std::string> from_base64(std::string_view text);

}  // namespace ogni
