#include "base/digest.h"

#include <gtest/gtest.h>

namespace ogni {
namespace {

TEST(Digest, KnowsTheStandardsExample) {  // FIPS 180-2, appendix B.1
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, IsTheSameInPieces) {
  Sha256Stream stream;
  for (const char* piece : {"a", "", "bc"}) stream.add(piece);
  EXPECT_EQ(to_hex(stream.finish()), to_hex(sha256("abc")));
}

TEST(Base64, ReadsWhatItWrites) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(from_base64(to_base64(bytes)).value(), bytes);
    bytes += static_cast<char>(i * 7);
  }
}

TEST(Base64, AcceptsWrappedLines) { EXPECT_EQ(from_base64("aGVs\r\nbG8=\n").value(), "hello"); }

TEST(Base64, RefusesWhatIsNotBase64) {
  for (const char* text : {"a", "ab=c", "====", "a===", "aGVsbG8", "aGVs!G8=", "{}", "=GVs"}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

TEST(Base64, RefusesEachOtherByteAtEachPlace) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool is_digit = std::string_view("+/0123456789").find(c) != std::string_view::npos;
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_digit || is_letter || c == '\r' || c == '\n') continue;
    for (std::size_t at = 0; at < 8; ++at) {
      std::string text = "aGVsbG8h";
      text[at] = c;
      if (c == '=' && at == 7) continue;  // padding
      EXPECT_FALSE(from_base64(text)) << byte << " at " << at;
    }
  }
}

}  // namespace
}  // namespace ogni
