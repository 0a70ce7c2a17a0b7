// Bodies of control requests, checked against every shape and turned into settings; payloads; names.
#include <boost/json/serialize.hpp>
#include <cstdlib>

#include "service/api/function_settings.h"
#include "service/api/names.h"
#include "service/api/payload.h"
#include "service/api/shapes.h"
#include "service/api/trace.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ogni::service;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)check_payload(text);
  (void)resolve_function({}, text, std::string(text));
  (void)resolve_layer({}, text);
  if (continue_trace(text).find_first_of("\r\n") != std::string::npos &&
      text.find_first_of("\r\n") == std::string::npos) {
    std::abort();
  }
  const auto body = parse_body(text);
  if (!body) return 0;
  (void)validate(*body, shapes::kUpdateFunctionCode);
  (void)validate(*body, shapes::kPublishLayerVersion);
  // Whatever passes can be applied, and again on top of itself.
  for (const Shape* shape : {&shapes::kCreateFunction, &shapes::kUpdateFunctionConfiguration}) {
    if (!validate(*body, *shape) || !check_request(*body, {})) continue;
    ogni::catalogue::FunctionSettings settings;
    apply_settings(*body, settings);
    const std::string once = settings.inert_json;
    apply_settings(*body, settings);
    if (settings.inert_json != once) std::abort();
  }
  return 0;
}
