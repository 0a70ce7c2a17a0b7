// What a hostile worker may write: any bytes, in pieces of any size.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "bootstrap/frame.h"
#include "bootstrap/report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using ogni::bootstrap::FrameReader;
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{data[0]} + 1;
  std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  FrameReader reader;
  while (!bytes.empty()) {
    const FrameReader::Space space = reader.space();
    const std::size_t count = std::min({space.size, bytes.size(), piece});
    if (count > 0) std::memcpy(space.data, bytes.data(), count);
    reader.commit(count);
    bytes.remove_prefix(count);
    while (reader.state() == FrameReader::State::kDone) {
      if (ogni::bootstrap::report_of(reader).json().empty()) std::abort();
      if (reader.kind() != "stream" && reader.kind() != "chunk") return 0;
      reader.next();
    }
    if (reader.state() == FrameReader::State::kFailed) return 0;
  }
  return 0;
}
