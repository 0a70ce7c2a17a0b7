// Amazon SQS. Source: Lambda Developer Guide, "Using Lambda with Amazon SQS", "Reporting batch item failures".
#pragma once

#include <string>
#include <vector>

#include "ogni/events/core.hpp"

namespace ogni::events {

struct SqsMessageAttribute {
  std::string data_type;  // "String", "Number", "Binary", or one of these with ".custom"
  std::string string_value;
  std::string binary_value;  // decoded
  json::Object other;
  bool operator==(const SqsMessageAttribute&) const = default;
};

struct SqsMessage {
  std::string message_id;
  std::string receipt_handle;
  std::string body;
  Texts attributes;  // "ApproximateReceiveCount", "SentTimestamp", "MessageGroupId", …
  std::map<std::string, SqsMessageAttribute, std::less<>> message_attributes;
  std::string md5_of_body;
  std::string md5_of_message_attributes;
  std::string event_source;
  std::string event_source_arn;
  std::string aws_region;
  json::Object other;
  bool operator==(const SqsMessage&) const = default;
};

struct SqsEvent {
  std::vector<SqsMessage> records;
  json::Object other;
  bool operator==(const SqsEvent&) const = default;
};

struct BatchItemFailure {
  std::string item_identifier;  // SQS: the message's id; streams: the record's sequence number
  json::Object other;
  bool operator==(const BatchItemFailure&) const = default;
};

// Which of the batch failed and shall come again; none means that all went well. The event source mapping needs
// FunctionResponseTypes = ReportBatchItemFailures for it.
struct BatchResponse {
  std::vector<BatchItemFailure> batch_item_failures;
  json::Object other;
  bool operator==(const BatchResponse&) const = default;

  void add_failure(std::string item_identifier) { batch_item_failures.push_back({std::move(item_identifier), {}}); }
};

using SqsBatchResponse = BatchResponse;

}  // namespace ogni::events
