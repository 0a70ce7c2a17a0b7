// What any of the three peers may be sent: no crash, and what is understood means itself when said again.
#include <cstdint>
#include <cstdlib>

#include "sandbox/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ogni::sandbox;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = wire::decode_control_request(bytes); request && wire::encode(*request) != bytes)
    std::abort();
  if (const auto request = wire::decode_make_environment(bytes); request && wire::encode(*request) != bytes)
    std::abort();
  if (const auto message = wire::decode_launcher_message(bytes); message && wire::encode(*message) != bytes)
    std::abort();
  ogni::Message message{.bytes = std::string(bytes), .descriptors = {}};
  if (const auto event = wire::decode_event(message); event && wire::encode(*event) != bytes) std::abort();
  return 0;
}
