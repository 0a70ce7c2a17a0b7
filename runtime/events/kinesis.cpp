#include "ogni/events/kinesis.hpp"

#include "runtime/events/codec.h"

namespace ogni::events {

template <>
struct Fields<KinesisData> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("partitionKey", self.partition_key);
    visit("sequenceNumber", self.sequence_number);
    visit.base64("data", self.data);
    visit("approximateArrivalTimestamp", self.approximate_arrival_timestamp);
    visit("kinesisSchemaVersion", self.kinesis_schema_version);
    visit("encryptionType", self.encryption_type);
    visit.rest(self.other);
  }
};

template <>
struct Fields<KinesisRecord> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("kinesis", self.kinesis);
    visit("eventID", self.event_id);
    visit("eventName", self.event_name);
    visit("eventSource", self.event_source);
    visit("eventVersion", self.event_version);
    visit("eventSourceARN", self.event_source_arn);
    visit("awsRegion", self.aws_region);
    visit("invokeIdentityArn", self.invoke_identity_arn);
    visit.rest(self.other);
  }
};

template <>
struct Fields<KinesisEvent> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("Records", self.records);
    visit.rest(self.other);
  }
};

template KinesisEvent parse<KinesisEvent>(std::string_view);
template std::string to_json(const KinesisEvent&);

}  // namespace ogni::events
