#include "ogni/events/s3.hpp"

#include "runtime/events/codec.h"

namespace ogni::events {

template <>
struct Fields<S3Principal> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("principalId", self.principal_id);
    visit.rest(self.other);
  }
};

template <>
struct Fields<S3Bucket> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("name", self.name);
    visit("arn", self.arn);
    visit("ownerIdentity", self.owner_identity);
    visit.rest(self.other);
  }
};

template <>
struct Fields<S3Object> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("key", self.key);
    visit("size", self.size);
    visit("eTag", self.e_tag);
    visit("versionId", self.version_id);
    visit("sequencer", self.sequencer);
    visit.rest(self.other);
  }
};

template <>
struct Fields<S3Entity> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("s3SchemaVersion", self.schema_version);
    visit("configurationId", self.configuration_id);
    visit("bucket", self.bucket);
    visit("object", self.object);
    visit.rest(self.other);
  }
};

template <>
struct Fields<S3RequestParameters> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("sourceIPAddress", self.source_ip_address);
    visit.rest(self.other);
  }
};

template <>
struct Fields<S3Record> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("eventVersion", self.event_version);
    visit("eventSource", self.event_source);
    visit("awsRegion", self.aws_region);
    visit("eventTime", self.event_time);
    visit("eventName", self.event_name);
    visit("userIdentity", self.user_identity);
    visit("requestParameters", self.request_parameters);
    visit("responseElements", self.response_elements);
    visit("s3", self.s3);
    visit("glacierEventData", self.glacier_event_data);
    visit.rest(self.other);
  }
};

template <>
struct Fields<S3Event> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("Records", self.records);
    visit.rest(self.other);
  }
};

template S3Event parse<S3Event>(std::string_view);
template std::string to_json(const S3Event&);

}  // namespace ogni::events
