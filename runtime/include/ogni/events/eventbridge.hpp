// Amazon EventBridge and its schedules. Source: EventBridge User Guide, "AWS service event structure".
#pragma once

#include <string>
#include <vector>

#include "ogni/events/core.hpp"

namespace ogni::events {

struct EventBridgeEvent {
  std::string version;
  std::string id;
  std::string detail_type;
  std::string source;
  std::string account;
  std::string time;  // "2019-03-01T00:00:00Z"
  std::string region;
  std::vector<std::string> resources;
  json::Value detail;
  json::Object other;
  bool operator==(const EventBridgeEvent&) const = default;

  bool is_scheduled() const { return detail_type == "Scheduled Event"; }
};

// A rule with a schedule sends an event with the rule's ARN in `resources` and an empty `detail`.
using ScheduledEvent = EventBridgeEvent;

}  // namespace ogni::events
