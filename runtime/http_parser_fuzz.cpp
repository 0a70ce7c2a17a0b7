// Whatever the bytes and however they are split: the parser stays within its bounds, and says the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "runtime/http_parser.h"

namespace {

using ogni::runtime::ResponseParser;

constexpr std::size_t kBodyMax = 4096;

void feed(ResponseParser& parser, std::string_view bytes, std::size_t piece) {
  while (!bytes.empty()) {
    const ResponseParser::Space space = parser.space();
    const std::size_t count = std::min({space.size, piece, bytes.size()});
    if (count == 0) return;
    std::memcpy(space.data, bytes.data(), count);
    parser.commit(count);
    bytes.remove_prefix(count);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  ResponseParser whole(kBodyMax);
  ResponseParser pieces(kBodyMax);
  feed(whole, bytes, size);
  feed(pieces, bytes, std::size_t{data[0]} + 1);
  if (whole.state() != pieces.state()) std::abort();
  if (whole.body().size() > kBodyMax + 1) std::abort();
  if (whole.state() == ResponseParser::State::kDone) {
    if (whole.body() != pieces.body() || whole.status() != pieces.status()) std::abort();
    if (whole.header("content-type") != pieces.header("content-type")) std::abort();
  }
  whole.finish();
  return 0;
}
