// API Gateway's REST APIs (and HTTP APIs with payload format 1.0), HTTP APIs (format 2.0) and function URLs.
// Source: API Gateway Developer Guide, "Input format of a Lambda function for proxy integration", "Working with AWS
// Lambda proxy integrations for HTTP APIs"; Lambda Developer Guide, "Invoking function URLs".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ogni/events/core.hpp"

namespace ogni::events {

// Who called, as far as API Gateway knows. Empty where it does not.
struct ApiGatewayIdentity {
  std::string source_ip;
  std::string user_agent;
  std::string user;
  std::string user_arn;
  std::string caller;
  std::string account_id;
  std::string access_key;
  std::string api_key;
  std::string api_key_id;
  std::string principal_org_id;
  std::string cognito_identity_id;
  std::string cognito_identity_pool_id;
  std::string cognito_authentication_type;
  std::string cognito_authentication_provider;
  json::Value client_certificate;
  json::Object other;
  bool operator==(const ApiGatewayIdentity&) const = default;
};

struct ApiGatewayContext {
  std::string account_id;
  std::string api_id;
  std::string stage;
  std::string protocol;  // "HTTP/1.1"
  std::string resource_id;
  std::string resource_path;
  std::string http_method;
  std::string path;  // with the stage
  std::string request_id;
  std::string extended_request_id;
  std::string request_time;             // "12/Mar/2020:19:03:58 +0000"
  std::int64_t request_time_epoch = 0;  // milliseconds
  std::string domain_name;
  std::string domain_prefix;
  std::string operation_name;
  ApiGatewayIdentity identity;
  json::Value authorizer;  // whatever the authorizer added
  // WebSocket APIs only:
  std::string connection_id;
  std::string event_type;  // "CONNECT", "MESSAGE" or "DISCONNECT"
  std::string route_key;
  std::string message_id;
  json::Object other;
  bool operator==(const ApiGatewayContext&) const = default;
};

// Payload format 1.0.
struct ApiGatewayRequest {
  std::string version;  // "1.0" from an HTTP API, else empty
  std::string resource;
  std::string path;
  std::string http_method;
  Texts headers;
  TextLists multi_value_headers;
  Texts query_string_parameters;
  TextLists multi_value_query_string_parameters;
  Texts path_parameters;
  Texts stage_variables;
  ApiGatewayContext request_context;
  std::string body;                // the bytes themselves: base64 is decoded
  bool is_base64_encoded = false;  // how `body` came, and is written
  json::Object other;
  bool operator==(const ApiGatewayRequest&) const = default;
};

// Answer to format 1.0.
struct ApiGatewayResponse {
  int status_code = 200;
  Texts headers;
  TextLists multi_value_headers;
  std::string body;
  bool is_base64_encoded = false;  // bytes that are not UTF-8 are sent as base64 in any case
  json::Object other;
  bool operator==(const ApiGatewayResponse&) const = default;
};

struct HttpApiDescription {
  std::string method;
  std::string path;
  std::string protocol;
  std::string source_ip;
  std::string user_agent;
  json::Object other;
  bool operator==(const HttpApiDescription&) const = default;
};

struct HttpApiContext {
  std::string account_id;
  std::string api_id;
  std::string domain_name;
  std::string domain_prefix;
  std::string request_id;
  std::string route_key;
  std::string stage;
  std::string time;
  std::int64_t time_epoch = 0;  // milliseconds
  HttpApiDescription http;
  json::Value authentication;  // the client's certificate
  json::Value authorizer;      // {"jwt":…}, {"iam":…} or {"lambda":…}
  json::Object other;
  bool operator==(const HttpApiContext&) const = default;
};

// Payload format 2.0: HTTP APIs and function URLs.
struct HttpApiRequest {
  std::string version;    // "2.0"
  std::string route_key;  // "$default"
  std::string raw_path;
  std::string raw_query_string;
  std::vector<std::string> cookies;
  Texts headers;  // names in lower case
  Texts query_string_parameters;
  Texts path_parameters;
  Texts stage_variables;
  HttpApiContext request_context;
  std::string body;                // the bytes themselves: base64 is decoded
  bool is_base64_encoded = false;  // how `body` came, and is written
  json::Object other;
  bool operator==(const HttpApiRequest&) const = default;
};

// Answer to format 2.0.
struct HttpApiResponse {
  int status_code = 200;
  Texts headers;
  std::vector<std::string> cookies;  // each one a whole Set-Cookie value
  std::string body;
  bool is_base64_encoded = false;  // bytes that are not UTF-8 are sent as base64 in any case
  json::Object other;
  bool operator==(const HttpApiResponse&) const = default;
};

using FunctionUrlRequest = HttpApiRequest;
using FunctionUrlResponse = HttpApiResponse;

}  // namespace ogni::events
