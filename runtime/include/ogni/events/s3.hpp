// Amazon S3 notifications. Source: Amazon S3 User Guide, "Event message structure".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ogni/events/core.hpp"

namespace ogni::events {

struct S3Principal {
  std::string principal_id;
  json::Object other;
  bool operator==(const S3Principal&) const = default;
};

struct S3Bucket {
  std::string name;
  std::string arn;
  S3Principal owner_identity;
  json::Object other;
  bool operator==(const S3Bucket&) const = default;
};

struct S3Object {
  std::string key;                   // URL-encoded, as it came
  std::optional<std::int64_t> size;  // bytes; empty where the object was deleted
  std::string e_tag;
  std::string version_id;
  std::string sequencer;  // orders the events of one key
  json::Object other;
  bool operator==(const S3Object&) const = default;

  // The key as S3's API takes it.
  std::string decoded_key() const { return url_decode(key); }
};

struct S3Entity {
  std::string schema_version;
  std::string configuration_id;
  S3Bucket bucket;
  S3Object object;
  json::Object other;
  bool operator==(const S3Entity&) const = default;
};

struct S3RequestParameters {
  std::string source_ip_address;
  json::Object other;
  bool operator==(const S3RequestParameters&) const = default;
};

struct S3Record {
  std::string event_version;
  std::string event_source;
  std::string aws_region;
  std::string event_time;  // "1970-01-01T00:00:00.000Z"
  std::string event_name;  // "ObjectCreated:Put"
  S3Principal user_identity;
  S3RequestParameters request_parameters;
  Texts response_elements;  // "x-amz-request-id", "x-amz-id-2"
  S3Entity s3;
  json::Value glacier_event_data;
  json::Object other;
  bool operator==(const S3Record&) const = default;
};

struct S3Event {
  std::vector<S3Record> records;
  json::Object other;
  bool operator==(const S3Event&) const = default;
};

}  // namespace ogni::events
