#include "base/digest.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "base/text.h"

namespace ogni {

Sha256 sha256(std::string_view bytes) {
  Sha256 digest;
  unsigned int size = 0;
  if (::EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, ::EVP_sha256(), nullptr) != 1 ||
      size != digest.size()) {
    std::abort();  // only a broken OpenSSL or no memory
  }
  return digest;
}

std::string to_hex(const Sha256& digest) {
  return to_hex(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

struct Sha256Stream::State {
  struct Free {
    void operator()(EVP_MD_CTX* owned) const { ::EVP_MD_CTX_free(owned); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{::EVP_MD_CTX_new()};
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {
  if (!state_->context || ::EVP_DigestInit_ex(state_->context.get(), ::EVP_sha256(), nullptr) != 1) std::abort();
}
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::add(std::string_view bytes) {
  if (::EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) != 1) std::abort();
}

Sha256 Sha256Stream::finish() {
  Sha256 digest;
  unsigned int size = 0;
  if (::EVP_DigestFinal_ex(state_->context.get(), digest.data(), &size) != 1 || size != digest.size()) std::abort();
  return digest;
}

std::string to_base64(std::string_view bytes) {
  std::string text;
  text.resize((bytes.size() + 2) / 3 * 4 + 1);
  const int size =
      ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  std::string compact;
  if (text.find_first_of("\r\n") != std::string_view::npos) {
    compact.reserve(text.size());
    for (const char c : text) {
      if (c != '\r' && c != '\n') compact += c;
    }
    text = compact;
  }
  const auto bad = [] { return failure(ErrorCode::kInvalidArgument, "not base64"); };
  if (text.empty()) return std::string();
  if (text.size() % 4 != 0) return bad();
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const size_t last = text.find_last_not_of('=');
  if (last == std::string_view::npos || last != text.size() - padding - 1) return bad();
  for (const char c : text.substr(0, text.size() - padding)) {
    const bool ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    if (!ok) return bad();
  }
  std::string bytes;
  bytes.resize(text.size() / 4 * 3);
  const int size =
      ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return bad();
  bytes.resize(static_cast<size_t>(size) - padding);
  return bytes;
}

}  // namespace ogni
