// Events that are HTTP requests, and the answers to them, as AWS's front doors send and take them; without a socket.
//
// Sources: AWS Lambda Developer Guide, "Invoking Lambda function URLs"; API Gateway Developer Guide, "Lambda proxy
// integrations"; ELB user guide, "Lambda functions as targets". The context headers are those of AWS's Lambda Web Adapter.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/client.h"

namespace ogni::bootstrap {

struct HttpField {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method;
  std::string path;               // percent-encoded
  std::string query;              // without the question mark
  std::vector<HttpField> fields;  // without Content-Length; names and values can stand on a line
  std::string caller;             // its address as the front door says it; may be empty
  std::string decoded_body;
  std::string_view event_body;  // used where the body is not decoded: may point into the event

  std::string_view body() const { return event_body.empty() ? std::string_view(decoded_body) : event_body; }
  // Of the first field of that name (any case), else empty.
  std::string_view field(std::string_view name) const;
};

struct HttpReply {
  int status = 200;
  std::vector<HttpField> fields;
  std::string_view body;
};

struct HttpEvent {
  enum class Shape {
    kOther,              // no HTTP request: posted as it is
    kGatewayV1,          // API Gateway REST, or HTTP with format 1.0
    kGatewayV2,          // API Gateway HTTP with format 2.0, function URL
    kLoadBalancer,       // ALB
    kLoadBalancerMulti,  // ALB with multi-value headers
  };
  Shape shape = Shape::kOther;
  HttpRequest request;
};

// `events_path` is where other events are posted. Fields of the connection are dropped; so are context headers that the
// caller has sent, and fields whose names hold more than letters, digits and hyphens.
HttpEvent read_http_event(const runtime::Invocation& invocation, std::string_view events_path);

// The answer in the shape that the event asks for: the body is base64 where it is not UTF-8.
std::string reply_json(HttpEvent::Shape shape, const HttpReply& reply);

// The JSON that comes before the body of a streamed answer.
std::string reply_prelude(const HttpReply& reply);

// Whether a field belongs to the connection rather than to the message (RFC 9110, 7.6.1).
bool is_hop_by_hop(std::string_view name);

}  // namespace ogni::bootstrap
