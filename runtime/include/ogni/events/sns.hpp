// Amazon SNS. Source: Lambda Developer Guide, "Invoking Lambda functions with Amazon SNS notifications".
#pragma once

#include <string>
#include <vector>

#include "ogni/events/core.hpp"

namespace ogni::events {

struct SnsMessageAttribute {
  std::string type;   // "String", "Binary", …
  std::string value;  // of a binary one: base64
  json::Object other;
  bool operator==(const SnsMessageAttribute&) const = default;
};

struct SnsMessage {
  std::string type;  // "Notification"
  std::string message_id;
  std::string topic_arn;
  std::string subject;
  std::string message;
  std::string timestamp;  // "2019-01-02T12:45:07.000Z"
  std::string signature_version;
  std::string signature;
  std::string signing_cert_url;
  std::string unsubscribe_url;
  std::map<std::string, SnsMessageAttribute, std::less<>> message_attributes;
  json::Object other;
  bool operator==(const SnsMessage&) const = default;
};

struct SnsRecord {
  std::string event_source;
  std::string event_version;
  std::string event_subscription_arn;
  SnsMessage sns;
  json::Object other;
  bool operator==(const SnsRecord&) const = default;
};

struct SnsEvent {
  std::vector<SnsRecord> records;
  json::Object other;
  bool operator==(const SnsEvent&) const = default;
};

}  // namespace ogni::events
