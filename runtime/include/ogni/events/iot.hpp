// AWS IoT Core. Source: AWS IoT Core Developer Guide, "Defining your Lambda function" (custom authentication),
// "Pre-provisioning hooks", "IoT rule actions: Lambda"; AWS IoT 1-Click's button event.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ogni/events/core.hpp"

namespace ogni::events {

// What a rule's SELECT made: any JSON.
using IotRuleEvent = json::Value;

struct IotButtonEvent {
  std::string serial_number;
  std::string click_type;       // "SINGLE", "DOUBLE" or "LONG"
  std::string battery_voltage;  // "2000 mV"
  json::Object other;
  bool operator==(const IotButtonEvent&) const = default;
};

struct IotTls {
  std::string server_name;
  json::Object other;
  bool operator==(const IotTls&) const = default;
};

struct IotHttp {
  Texts headers;
  std::string query_string;
  json::Object other;
  bool operator==(const IotHttp&) const = default;
};

struct IotMqtt {
  std::string username;
  std::string password;  // decoded
  std::string client_id;
  json::Object other;
  bool operator==(const IotMqtt&) const = default;
};

struct IotProtocolData {
  IotTls tls;
  IotHttp http;
  IotMqtt mqtt;
  json::Object other;
  bool operator==(const IotProtocolData&) const = default;
};

struct IotConnection {
  std::string id;
  json::Object other;
  bool operator==(const IotConnection&) const = default;
};

struct IotAuthorizerRequest {
  std::string token;
  bool signature_verified = false;
  std::vector<std::string> protocols;  // "tls", "http", "mqtt"
  IotProtocolData protocol_data;
  IotConnection connection_metadata;
  json::Object other;
  bool operator==(const IotAuthorizerRequest&) const = default;
};

struct IotAuthorizerResponse {
  bool is_authenticated = false;
  std::string principal_id;                          // 1 to 128 letters and digits
  std::int64_t disconnect_after_in_seconds = 86400;  // 300 to 86,400
  std::int64_t refresh_after_in_seconds = 300;       // 300 to 86,400
  std::vector<json::Value> policy_documents;
  json::Object other;
  bool operator==(const IotAuthorizerResponse&) const = default;
};

struct IotProvisioningRequest {
  std::string claim_certificate_id;
  std::string certificate_id;
  std::string certificate_pem;
  std::string template_arn;
  std::string client_id;
  Texts parameters;
  json::Object other;
  bool operator==(const IotProvisioningRequest&) const = default;
};

struct IotProvisioningResponse {
  bool allow_provisioning = false;
  Texts parameter_overrides;
  json::Object other;
  bool operator==(const IotProvisioningResponse&) const = default;
};

}  // namespace ogni::events
