// The first byte says which event the rest shall be. Whatever the bytes: they are read or refused with a path, and what
// was read is written, reads as the same again, and is then written the same.
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>

#include "ogni/events.hpp"

namespace {

using namespace ogni::events;

template <class Event>
void check(std::string_view text) {
  Event event{};
  try {
    event = parse<Event>(text);
  } catch (const EventError& error) {
    if (std::string_view(error.what()).empty()) std::abort();
    return;
  }
  const std::string written = to_json(event);
  const Event again = parse<Event>(written);
  if (to_json(again) != written) std::abort();
}

constexpr void (*kChecks[])(std::string_view) = {
    check<ApiGatewayRequest>,
    check<ApiGatewayResponse>,
    check<HttpApiRequest>,
    check<HttpApiResponse>,
    check<AlbRequest>,
    check<AlbResponse>,
    check<SqsEvent>,
    check<BatchResponse>,
    check<SnsEvent>,
    check<S3Event>,
    check<KinesisEvent>,
    check<DynamoDbEvent>,
    check<EventBridgeEvent>,
    check<IotButtonEvent>,
    check<IotAuthorizerRequest>,
    check<IotAuthorizerResponse>,
    check<IotProvisioningRequest>,
    check<IotProvisioningResponse>,
    check<ogni::json::Value>,
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  kChecks[data[0] % std::size(kChecks)](text);
  return 0;
}
