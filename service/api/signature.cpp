#include "service/api/signature.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.h"
#include "base/utf8.h"
#include "service/api/errors.h"

namespace ogni::service {
namespace {

namespace json = boost::json;

// AKID/20260101/us-east-1/lambda/aws4_request; of SigV4A without the region.
std::optional<SignatureScope> parse_scope(std::string_view credential) {
  constexpr std::string_view kEnd = "/aws4_request";
  if (!credential.ends_with(kEnd)) return {};
  credential.remove_suffix(kEnd.size());
  const std::size_t service = credential.rfind('/');
  if (service == std::string_view::npos || service == 0) return {};
  SignatureScope scope{.region = {}, .service = to_lower(credential.substr(service + 1))};
  const std::size_t region = credential.rfind('/', service - 1);
  if (scope.service.empty() || region == std::string_view::npos) return {};
  const std::string_view before = credential.substr(region + 1, service - region - 1);
  const bool is_date = before.size() == 8 && protocol::is_digits(before);
  if (!is_date) scope.region = before;
  return scope;
}

// The service of a request without a signature, by the header that AWS's JSON protocols have.
std::string service_of_target(std::string_view target) {  // DynamoDB_20120810.ListTables
  return to_lower(target.substr(0, target.find_first_of("_.")));
}

std::string escape_xml(std::string_view text) {
  std::string escaped;
  for (const char c : to_utf8(text)) {
    if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string element(std::string_view name, std::string_view inner) {
  std::string text = "<";
  text.append(name).append(">").append(inner).append("</").append(name).append(">");
  return text;
}

std::string xml_error(std::string_view code, std::string_view message, std::string_view type = {}) {
  std::string inner = type.empty() ? std::string() : element("Type", type);
  inner += element("Code", code) + element("Message", escape_xml(message));
  return inner;
}

// Text strings of fewer than 64 KiB, which is all that an error has.
void append_cbor(std::string& out, std::string_view text) {
  out += '\x79';
  out += static_cast<char>(text.size() >> 8);
  out += static_cast<char>(text.size() & 0xff);
  out += text;
}

// AWS's services speak several protocols; what a request looks like says which.
http::Response in_its_format(const http::Request& request, std::string_view service, const std::string& message) {
  constexpr std::string_view kXmlHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  constexpr std::string_view kUnknown = "UnknownOperationException";
  const std::string id = make_uuid();
  const std::string_view type = request.header("Content-Type");
  if (request.header("smithy-protocol") == "rpc-v2-cbor") {
    std::string body = "\xa2";
    append_cbor(body, "__type");
    append_cbor(body, kUnknown);
    append_cbor(body, "message");
    append_cbor(body, message);
    http::Response response(400, "application/cbor", std::move(body));
    response.add_header("smithy-protocol", "rpc-v2-cbor");
    return response;
  }
  if (request.find_header("X-Amz-Target")) {
    const json::object body{{"__type", kUnknown}, {"message", message}};
    http::Response response(400, type.starts_with("application/x-amz-json-") ? type : "application/x-amz-json-1.0",
                            json::serialize(body));
    response.add_header("x-amzn-RequestId", id);
    response.add_header("x-amzn-ErrorType", kUnknown);
    return response;
  }
  if (service == "s3" || service == "s3express" || service == "s3-outposts") {
    http::Response response(
        501, "application/xml",
        std::string(kXmlHead) + element("Error", xml_error("NotImplemented", message) + element("RequestId", id)));
    response.add_header("x-amz-request-id", id);
    return response;
  }
  if (service == "ec2") {
    const std::string error = element("Errors", element("Error", xml_error("InvalidAction", message)));
    return {400, "text/xml", std::string(kXmlHead) + element("Response", error + element("RequestID", id))};
  }
  const bool is_query = type.starts_with("application/x-www-form-urlencoded") || request.query_value("Action");
  if (is_query || service == "route53" || service == "cloudfront") {
    const std::string error = element("Error", xml_error("InvalidAction", message, "Sender"));
    http::Response response(400, "text/xml",
                            std::string(kXmlHead) + element("ErrorResponse", error + element("RequestId", id)));
    response.add_header("x-amzn-RequestId", id);
    return response;
  }
  return to_response(ApiError{.type = ErrorType::kUnknownOperation, .message = message}, id);
}

}  // namespace

std::optional<SignatureScope> signature_scope(const http::Request& request) {
  const std::string_view header = request.header("Authorization");
  if (header.empty()) {
    if (request.query().find("X-Amz-Credential") == std::string_view::npos) return {};
    const auto credential = request.query_value("X-Amz-Credential");
    return credential ? parse_scope(*credential) : std::nullopt;
  }
  constexpr std::string_view kCredential = "Credential=";
  const std::size_t at = header.find(kCredential);
  if (!header.starts_with("AWS4-") || at == std::string_view::npos) return {};
  const std::string_view rest = header.substr(at + kCredential.size());
  return parse_scope(rest.substr(0, rest.find_first_of(", ")));
}

std::optional<http::Response> refuse_other_service(const http::Request& request, const protocol::Home& home) {
  const std::optional<SignatureScope> scope = signature_scope(request);
  std::string service = scope ? scope->service : std::string();
  if (const auto target = request.find_header("X-Amz-Target"); !scope && target) service = service_of_target(*target);
  if (!service.empty() && service != "lambda") {
    return in_its_format(request, service,
                         "This endpoint is AWS Lambda, served by Ogni. The request is for the service '" +
                             printable(service, 64) + "', which is not here.");
  }
  if (scope && !scope->region.empty() && scope->region != home.region) {
    return to_response(
        ApiError{.type = ErrorType::kInvalidSignature,
                 .message = "Credential should be scoped to a valid region. The request is signed for '" +
                            printable(scope->region, 64) + "', and this service is in '" + home.region +
                            "' (ogni serve --region)."},
        make_uuid());
  }
  return {};
}

}  // namespace ogni::service
