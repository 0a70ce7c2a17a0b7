// Application Load Balancer. Source: Elastic Load Balancing guide, "Lambda functions as targets".
#pragma once

#include <string>

#include "ogni/events/core.hpp"

namespace ogni::events {

struct AlbTarget {
  std::string target_group_arn;
  json::Object other;
  bool operator==(const AlbTarget&) const = default;
};

struct AlbContext {
  AlbTarget elb;
  json::Object other;
  bool operator==(const AlbContext&) const = default;
};

// Query parameters come as the client sent them, still percent-encoded. Which of the single and the
// multi-value members are filled is a setting of the target group.
struct AlbRequest {
  AlbContext request_context;
  std::string http_method;
  std::string path;
  Texts headers;
  TextLists multi_value_headers;
  Texts query_string_parameters;
  TextLists multi_value_query_string_parameters;
  std::string body;                // the bytes themselves: base64 is decoded
  bool is_base64_encoded = false;  // how `body` came, and is written
  json::Object other;
  bool operator==(const AlbRequest&) const = default;
};

// Answer with `multi_value_headers` where the target group has them switched on, else with `headers`.
struct AlbResponse {
  int status_code = 200;
  std::string status_description;  // "200 OK"
  Texts headers;
  TextLists multi_value_headers;
  std::string body;
  bool is_base64_encoded = false;  // bytes that are not UTF-8 are sent as base64 in any case
  json::Object other;
  bool operator==(const AlbResponse&) const = default;
};

}  // namespace ogni::events
