// Amazon DynamoDB Streams. Answer with a BatchResponse. Source: DynamoDB API Reference, "AttributeValue",
// "StreamRecord"; Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "ogni/events/core.hpp"
#include "ogni/events/sqs.hpp"

namespace ogni::events {

// DynamoDB's numbers have up to 38 digits.
struct DynamoDbNumber {
  std::string text;
  bool operator==(const DynamoDbNumber&) const = default;
};
struct DynamoDbBinary {
  std::string bytes;  // decoded
  bool operator==(const DynamoDbBinary&) const = default;
};
struct DynamoDbStringSet {
  std::vector<std::string> values;
  bool operator==(const DynamoDbStringSet&) const = default;
};
struct DynamoDbNumberSet {
  std::vector<std::string> values;
  bool operator==(const DynamoDbNumberSet&) const = default;
};
struct DynamoDbBinarySet {
  std::vector<std::string> values;  // decoded
  bool operator==(const DynamoDbBinarySet&) const = default;
};

struct AttributeValue;
using AttributeList = std::vector<AttributeValue>;
using AttributeMap = std::map<std::string, AttributeValue, std::less<>>;

// Exactly one of S, N, B, BOOL, NULL, SS, NS, BS, L and M; std::monostate is NULL. A kind that this library does not
// know is kept as the JSON it came as.
struct AttributeValue {
  std::variant<std::monostate, std::string, DynamoDbNumber, DynamoDbBinary, bool, DynamoDbStringSet, DynamoDbNumberSet,
               DynamoDbBinarySet, AttributeList, AttributeMap, json::Object>
      value;

  // nullptr if the value is of another kind.
  const std::string* string() const { return std::get_if<std::string>(&value); }
  const DynamoDbNumber* number() const { return std::get_if<DynamoDbNumber>(&value); }
  const DynamoDbBinary* binary() const { return std::get_if<DynamoDbBinary>(&value); }
  const bool* boolean() const { return std::get_if<bool>(&value); }
  const AttributeList* list() const { return std::get_if<AttributeList>(&value); }
  const AttributeMap* map() const { return std::get_if<AttributeMap>(&value); }
  bool operator==(const AttributeValue& right) const { return value == right.value; }
};

struct DynamoDbChange {
  AttributeMap keys;
  AttributeMap new_image;
  AttributeMap old_image;
  std::string sequence_number;
  std::string stream_view_type;  // "NEW_AND_OLD_IMAGES"
  std::int64_t size_bytes = 0;
  json::Number approximate_creation_date_time;  // seconds since 1970
  json::Object other;
  bool operator==(const DynamoDbChange&) const = default;
};

struct DynamoDbRecord {
  std::string event_id;
  std::string event_name;  // "INSERT", "MODIFY" or "REMOVE"
  std::string event_source;
  std::string event_version;
  std::string event_source_arn;
  std::string aws_region;
  DynamoDbChange dynamodb;
  json::Value user_identity;  // of a deletion by time to live
  json::Object other;
  bool operator==(const DynamoDbRecord&) const = default;
};

struct DynamoDbEvent {
  std::vector<DynamoDbRecord> records;
  json::Object other;
  bool operator==(const DynamoDbEvent&) const = default;
};

}  // namespace ogni::events
