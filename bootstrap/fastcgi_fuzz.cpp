// Any bytes: read whole or split in two, an answer is the same.
#include <cstdint>
#include <cstdlib>

#include "bootstrap/fastcgi_exchange.h"
#include "bootstrap/fastcgi_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using ogni::bootstrap::FastcgiReader;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t split = data[0] % size;
  FastcgiReader whole(1 << 20);
  whole.take(bytes);
  FastcgiReader parts(1 << 20);
  parts.take(bytes.substr(0, split));
  parts.take(bytes.substr(split));
  if (whole.state() != parts.state() || whole.output() != parts.output()) std::abort();
  if (whole.take_errors() != parts.take_errors()) std::abort();
  std::size_t head_bytes = 0;
  static_cast<void>(ogni::bootstrap::parse_cgi_head(bytes, head_bytes));
  if (head_bytes > bytes.size()) std::abort();
  return 0;
}
