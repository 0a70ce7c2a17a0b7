// Amazon Kinesis Data Streams. Answer with a BatchResponse. Source: Lambda Developer Guide, "Process Amazon Kinesis
// Data Streams records with Lambda", "Using tumbling windows".
#pragma once

#include <string>
#include <vector>

#include "ogni/events/core.hpp"
#include "ogni/events/sqs.hpp"

namespace ogni::events {

struct KinesisData {
  std::string partition_key;
  std::string sequence_number;
  std::string data;                            // decoded
  json::Number approximate_arrival_timestamp;  // seconds since 1970, with a fraction
  std::string kinesis_schema_version;
  std::string encryption_type;
  json::Object other;
  bool operator==(const KinesisData&) const = default;
};

struct KinesisRecord {
  KinesisData kinesis;
  std::string event_id;  // "shardId-000000000006:4959…"
  std::string event_name;
  std::string event_source;
  std::string event_version;
  std::string event_source_arn;
  std::string aws_region;
  std::string invoke_identity_arn;
  json::Object other;
  bool operator==(const KinesisRecord&) const = default;
};

struct KinesisEvent {
  std::vector<KinesisRecord> records;
  json::Object other;  // of a tumbling window: "window", "state", "shardId", "isFinalInvokeForWindow", …
  bool operator==(const KinesisEvent&) const = default;
};

}  // namespace ogni::events
