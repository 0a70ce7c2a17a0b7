#include "ogni/events/eventbridge.hpp"

#include "runtime/events/codec.h"

namespace ogni::events {

template <>
struct Fields<EventBridgeEvent> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("version", self.version);
    visit("id", self.id);
    visit("detail-type", self.detail_type);
    visit("source", self.source);
    visit("account", self.account);
    visit("time", self.time);
    visit("region", self.region);
    visit("resources", self.resources);
    visit("detail", self.detail);
    visit.rest(self.other);
  }
};

template EventBridgeEvent parse<EventBridgeEvent>(std::string_view);
template std::string to_json(const EventBridgeEvent&);

}  // namespace ogni::events
