// Any bytes: what is accepted can be read through, and strings survive being written again.
#include <cstdint>
#include <cstdlib>

#include "bootstrap/json.h"
#include "runtime/json_text.h"

namespace {

void walk(ogni::bootstrap::Json value) {
  using ogni::bootstrap::Json;
  if (value.is(Json::Kind::kString)) {
    std::string again;
    ogni::runtime::append_json_string(again, value.text());
    if (Json::parse(again).text() != value.text()) std::abort();
  }
  for (ogni::bootstrap::JsonItems items(value); items.next();) {
    if (items.value().is(Json::Kind::kNone)) std::abort();
    static_cast<void>(items.key());
    walk(items.value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  walk(ogni::bootstrap::Json::parse({reinterpret_cast<const char*>(data), size}));
  return 0;
}
