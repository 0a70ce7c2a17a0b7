#include "ogni/events/sqs.hpp"

#include "runtime/events/codec.h"

namespace ogni::events {

template <>
struct Fields<SqsMessageAttribute> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("dataType", self.data_type);
    visit("stringValue", self.string_value);
    visit.base64("binaryValue", self.binary_value);
    visit.rest(self.other);
  }
};

template <>
struct Fields<SqsMessage> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("messageId", self.message_id);
    visit("receiptHandle", self.receipt_handle);
    visit("body", self.body);
    visit("attributes", self.attributes);
    visit("messageAttributes", self.message_attributes);
    visit("md5OfBody", self.md5_of_body);
    visit("md5OfMessageAttributes", self.md5_of_message_attributes);
    visit("eventSource", self.event_source);
    visit("eventSourceARN", self.event_source_arn);
    visit("awsRegion", self.aws_region);
    visit.rest(self.other);
  }
};

template <>
struct Fields<SqsEvent> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("Records", self.records);
    visit.rest(self.other);
  }
};

template <>
struct Fields<BatchItemFailure> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("itemIdentifier", self.item_identifier);
    visit.rest(self.other);
  }
};

template <>
struct Fields<BatchResponse> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("batchItemFailures", self.batch_item_failures);
    visit.rest(self.other);
  }
};

template SqsEvent parse<SqsEvent>(std::string_view);
template std::string to_json(const SqsEvent&);
template BatchResponse parse<BatchResponse>(std::string_view);
template std::string to_json(const BatchResponse&);

}  // namespace ogni::events
