#include "base/digest.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "base/text.h"

namespace ogni {
namespace {

constexpr std::uint32_t kNotBase64 = 0xff000000;

// What a character stands for, moved to its place among four; kNotBase64 for one that stands for nothing.
using Base64Table = std::array<std::uint32_t, 256>;

consteval Base64Table base64_table(unsigned shift) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Base64Table table{};
  table.fill(kNotBase64);
  for (std::uint32_t value = 0; value < kAlphabet.size(); ++value) {
    table[static_cast<unsigned char>(kAlphabet[value])] = value << shift;
  }
  return table;
}

constexpr std::array kBase64Tables{base64_table(18), base64_table(12), base64_table(6), base64_table(0)};

// Writes three bytes; the result has bits of kNotBase64 if one of the four characters is none of base64's.
std::uint32_t decode_four(const char* in, char* out) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word |= kBase64Tables[i][static_cast<unsigned char>(in[i])];
  out[0] = static_cast<char>(word >> 16);
  out[1] = static_cast<char>(word >> 8);
  out[2] = static_cast<char>(word);
  return word;
}

std::string without_line_ends(std::string_view text) {
  std::string compact;
  compact.reserve(text.size());
  for (const char c : text) {
    if (c != '\r' && c != '\n') compact += c;
  }
  return compact;
}

}  // namespace

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
  const auto bad = [] { return failure(ErrorCode::kInvalidArgument, "not base64"); };
  std::string compact;
  if (text.find('\n') != std::string_view::npos || text.find('\r') != std::string_view::npos) {
    compact = without_line_ends(text);
    text = compact;
  }
  if (text.empty()) return std::string();
  if (text.size() % 4 != 0) return bad();
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  // The last four characters, with the padding as if it were zeros, are decoded as the others are.
  std::array<char, 4> last{};
  text.copy(last.data(), 4, text.size() - 4);
  for (std::size_t i = 4 - padding; i < 4; ++i) last[i] = 'A';
  text.remove_suffix(4);

  std::string bytes;
  bytes.resize(text.size() / 4 * 3 + 3);
  char* out = bytes.data();
  std::uint32_t seen = 0;
  for (const char* in = text.data(); in != text.data() + text.size(); in += 4, out += 3) seen |= decode_four(in, out);
  seen |= decode_four(last.data(), out);
  if ((seen & kNotBase64) != 0) return bad();
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace ogni
