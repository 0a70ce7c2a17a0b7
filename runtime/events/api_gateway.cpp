#include "ogni/events/api_gateway.hpp"

#include "runtime/events/codec.h"

namespace ogni::events {

template <>
struct Fields<ApiGatewayIdentity> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("sourceIp", self.source_ip);
    visit("userAgent", self.user_agent);
    visit("user", self.user);
    visit("userArn", self.user_arn);
    visit("caller", self.caller);
    visit("accountId", self.account_id);
    visit("accessKey", self.access_key);
    visit("apiKey", self.api_key);
    visit("apiKeyId", self.api_key_id);
    visit("principalOrgId", self.principal_org_id);
    visit("cognitoIdentityId", self.cognito_identity_id);
    visit("cognitoIdentityPoolId", self.cognito_identity_pool_id);
    visit("cognitoAuthenticationType", self.cognito_authentication_type);
    visit("cognitoAuthenticationProvider", self.cognito_authentication_provider);
    visit("clientCert", self.client_certificate);
    visit.rest(self.other);
  }
};

template <>
struct Fields<ApiGatewayContext> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("accountId", self.account_id);
    visit("apiId", self.api_id);
    visit("stage", self.stage);
    visit("protocol", self.protocol);
    visit("resourceId", self.resource_id);
    visit("resourcePath", self.resource_path);
    visit("httpMethod", self.http_method);
    visit("path", self.path);
    visit("requestId", self.request_id);
    visit("extendedRequestId", self.extended_request_id);
    visit("requestTime", self.request_time);
    visit("requestTimeEpoch", self.request_time_epoch);
    visit("domainName", self.domain_name);
    visit("domainPrefix", self.domain_prefix);
    visit("operationName", self.operation_name);
    visit("identity", self.identity);
    visit("authorizer", self.authorizer);
    visit("connectionId", self.connection_id);
    visit("eventType", self.event_type);
    visit("routeKey", self.route_key);
    visit("messageId", self.message_id);
    visit.rest(self.other);
  }
};

template <>
struct Fields<ApiGatewayRequest> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("version", self.version);
    visit("resource", self.resource);
    visit("path", self.path);
    visit("httpMethod", self.http_method);
    visit("headers", self.headers);
    visit("multiValueHeaders", self.multi_value_headers);
    visit("queryStringParameters", self.query_string_parameters);
    visit("multiValueQueryStringParameters", self.multi_value_query_string_parameters);
    visit("pathParameters", self.path_parameters);
    visit("stageVariables", self.stage_variables);
    visit("requestContext", self.request_context);
    visit.body(self.body, self.is_base64_encoded);
    visit.rest(self.other);
  }
};

template <>
struct Fields<ApiGatewayResponse> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("statusCode", self.status_code);
    visit("headers", self.headers);
    visit("multiValueHeaders", self.multi_value_headers);
    visit.always_body(self.body, self.is_base64_encoded);
    visit.rest(self.other);
  }
};

template <>
struct Fields<HttpApiDescription> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("method", self.method);
    visit("path", self.path);
    visit("protocol", self.protocol);
    visit("sourceIp", self.source_ip);
    visit("userAgent", self.user_agent);
    visit.rest(self.other);
  }
};

template <>
struct Fields<HttpApiContext> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("accountId", self.account_id);
    visit("apiId", self.api_id);
    visit("domainName", self.domain_name);
    visit("domainPrefix", self.domain_prefix);
    visit("requestId", self.request_id);
    visit("routeKey", self.route_key);
    visit("stage", self.stage);
    visit("time", self.time);
    visit("timeEpoch", self.time_epoch);
    visit("http", self.http);
    visit("authentication", self.authentication);
    visit("authorizer", self.authorizer);
    visit.rest(self.other);
  }
};

template <>
struct Fields<HttpApiRequest> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("version", self.version);
    visit("routeKey", self.route_key);
    visit("rawPath", self.raw_path);
    visit("rawQueryString", self.raw_query_string);
    visit("cookies", self.cookies);
    visit("headers", self.headers);
    visit("queryStringParameters", self.query_string_parameters);
    visit("pathParameters", self.path_parameters);
    visit("stageVariables", self.stage_variables);
    visit("requestContext", self.request_context);
    visit.body(self.body, self.is_base64_encoded);
    visit.rest(self.other);
  }
};

template <>
struct Fields<HttpApiResponse> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("statusCode", self.status_code);
    visit("headers", self.headers);
    visit("cookies", self.cookies);
    visit.always_body(self.body, self.is_base64_encoded);
    visit.rest(self.other);
  }
};

template ApiGatewayRequest parse<ApiGatewayRequest>(std::string_view);
template std::string to_json(const ApiGatewayRequest&);
template ApiGatewayResponse parse<ApiGatewayResponse>(std::string_view);
template std::string to_json(const ApiGatewayResponse&);
template HttpApiRequest parse<HttpApiRequest>(std::string_view);
template std::string to_json(const HttpApiRequest&);
template HttpApiResponse parse<HttpApiResponse>(std::string_view);
template std::string to_json(const HttpApiResponse&);

}  // namespace ogni::events
