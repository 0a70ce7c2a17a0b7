// Whatever the author's headers and cookies are: the prelude has no byte that ends it, no line of another header, and the
// same is made of it twice. Errors as JSON likewise.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime/prelude.h"
#include "runtime/report.h"

namespace {

using ogni::runtime::Buffer;

void check(std::string_view json) {
  int braces = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (static_cast<unsigned char>(json[i]) < 0x20) std::abort();
    if (json[i] == '"') quoted = !quoted;
    if (quoted && json[i] == '\\') ++i;
    if (!quoted) braces += json[i] == '{' ? 1 : json[i] == '}' ? -1 : 0;
    if (braces == 0 && i + 1 < json.size()) std::abort();
  }
  if (quoted || braces != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  const std::size_t split = text.empty() ? 0 : data[2] % text.size();
  const int status = data[0] * 4 + data[1] % 4;
  const std::string_view first(text.data(), split);
  const std::string_view second(text.data() + split, text.size() - split);
  Buffer prelude;
  if (ogni::runtime::append_prelude_json(prelude, status, first, second)) {
    check(prelude.view());
    Buffer again;
    if (!ogni::runtime::append_prelude_json(again, status, first, second) || again.view() != prelude.view())
      std::abort();
  }
  Buffer error;
  ogni::runtime::append_error_json(error, first, second, text);
  check(error.view());
  return 0;
}
