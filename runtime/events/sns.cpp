#include "ogni/events/sns.hpp"

#include "runtime/events/codec.h"

namespace ogni::events {

template <>
struct Fields<SnsMessageAttribute> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("Type", self.type);
    visit("Value", self.value);
    visit.rest(self.other);
  }
};

template <>
struct Fields<SnsMessage> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("Type", self.type);
    visit("MessageId", self.message_id);
    visit("TopicArn", self.topic_arn);
    visit("Subject", self.subject);
    visit("Message", self.message);
    visit("Timestamp", self.timestamp);
    visit("SignatureVersion", self.signature_version);
    visit("Signature", self.signature);
    visit("SigningCertUrl", self.signing_cert_url);
    visit("UnsubscribeUrl", self.unsubscribe_url);
    visit("MessageAttributes", self.message_attributes);
    visit.rest(self.other);
  }
};

template <>
struct Fields<SnsRecord> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("EventSource", self.event_source);
    visit("EventVersion", self.event_version);
    visit("EventSubscriptionArn", self.event_subscription_arn);
    visit("Sns", self.sns);
    visit.rest(self.other);
  }
};

template <>
struct Fields<SnsEvent> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("Records", self.records);
    visit.rest(self.other);
  }
};

template SnsEvent parse<SnsEvent>(std::string_view);
template std::string to_json(const SnsEvent&);

}  // namespace ogni::events
