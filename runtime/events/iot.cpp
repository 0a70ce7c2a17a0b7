#include "ogni/events/iot.hpp"

#include "runtime/events/codec.h"

namespace ogni::events {

template <>
struct Fields<IotButtonEvent> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("serialNumber", self.serial_number);
    visit("clickType", self.click_type);
    visit("batteryVoltage", self.battery_voltage);
    visit.rest(self.other);
  }
};

template <>
struct Fields<IotTls> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("serverName", self.server_name);
    visit.rest(self.other);
  }
};

template <>
struct Fields<IotHttp> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("headers", self.headers);
    visit("queryString", self.query_string);
    visit.rest(self.other);
  }
};

template <>
struct Fields<IotMqtt> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("username", self.username);
    visit.base64("password", self.password);
    visit("clientId", self.client_id);
    visit.rest(self.other);
  }
};

template <>
struct Fields<IotProtocolData> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("tls", self.tls);
    visit("http", self.http);
    visit("mqtt", self.mqtt);
    visit.rest(self.other);
  }
};

template <>
struct Fields<IotConnection> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("id", self.id);
    visit.rest(self.other);
  }
};

template <>
struct Fields<IotAuthorizerRequest> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("token", self.token);
    visit("signatureVerified", self.signature_verified);
    visit("protocols", self.protocols);
    visit("protocolData", self.protocol_data);
    visit("connectionMetadata", self.connection_metadata);
    visit.rest(self.other);
  }
};

template <>
struct Fields<IotAuthorizerResponse> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("isAuthenticated", self.is_authenticated);
    visit.always("principalId", self.principal_id);
    visit.always("disconnectAfterInSeconds", self.disconnect_after_in_seconds);
    visit.always("refreshAfterInSeconds", self.refresh_after_in_seconds);
    visit.always("policyDocuments", self.policy_documents);
    visit.rest(self.other);
  }
};

template <>
struct Fields<IotProvisioningRequest> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("claimCertificateId", self.claim_certificate_id);
    visit("certificateId", self.certificate_id);
    visit("certificatePem", self.certificate_pem);
    visit("templateArn", self.template_arn);
    visit("clientId", self.client_id);
    visit("parameters", self.parameters);
    visit.rest(self.other);
  }
};

template <>
struct Fields<IotProvisioningResponse> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("allowProvisioning", self.allow_provisioning);
    visit("parameterOverrides", self.parameter_overrides);
    visit.rest(self.other);
  }
};

template IotButtonEvent parse<IotButtonEvent>(std::string_view);
template std::string to_json(const IotButtonEvent&);
template IotAuthorizerRequest parse<IotAuthorizerRequest>(std::string_view);
template std::string to_json(const IotAuthorizerRequest&);
template IotAuthorizerResponse parse<IotAuthorizerResponse>(std::string_view);
template std::string to_json(const IotAuthorizerResponse&);
template IotProvisioningRequest parse<IotProvisioningRequest>(std::string_view);
template std::string to_json(const IotProvisioningRequest&);
template IotProvisioningResponse parse<IotProvisioningResponse>(std::string_view);
template std::string to_json(const IotProvisioningResponse&);

}  // namespace ogni::events
