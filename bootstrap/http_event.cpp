#include "bootstrap/http_event.h"

#include <array>
#include <cstdlib>
#include <utility>

#include "bootstrap/json.h"
#include "bootstrap/text.h"
#include "runtime/http_parser.h"
#include "runtime/json_text.h"

namespace ogni::bootstrap {
namespace {

using Shape = HttpEvent::Shape;
using runtime::equals_ignoring_case;

constexpr std::array<std::string_view, 3> kContextFields = {"x-amzn-request-context", "x-amzn-lambda-context",
                                                            "x-amzn-trace-id"};

// Far above what AWS's front doors let through (10 KB of fields); what a direct caller adds beyond is dropped.
constexpr std::size_t kFieldsMax = 1000;

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~").find(c) != std::string_view::npos;
}

// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_unreserved(c) && std::string_view("!#$%&'*+^`|").find(c) == std::string_view::npos) return false;
  }
  return !text.empty();
}

void append_percent(std::string& out, char c) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out += '%';
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f'); }

// Encodes what may not stand in that part of a request line (RFC 3986); what is encoded stays.
std::string encoded(std::string_view text, std::string_view allowed) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]);
    if (is_escape || is_unreserved(text[i]) || allowed.find(text[i]) != std::string_view::npos) {
      result += text[i];
    } else {
      append_percent(result, text[i]);
    }
  }
  return result;
}

std::string encoded_path(std::string_view path) {
  std::string result = encoded(path, "/!$&'()*+,;=:@");
  return result.starts_with('/') ? result : "/" + result;
}

std::string encoded_query(std::string_view query) { return encoded(query, "/?!$&'()*+,;=:@[]|"); }

// One name or value of a query that has come decoded.
std::string encoded_word(std::string_view word) {
  std::string result;
  for (const char c : word) {
    if (is_unreserved(c)) {
      result += c;
    } else {
      append_percent(result, c);
    }
  }
  return result;
}

std::string on_one_line(std::string value) {
  for (char& c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return value;
}

// Letters, digits and hyphens. Others could pass for a context field or a length: CGI and WSGI make one variable of "a-b"
// and "a_b", PHP also of "a.b". nginx drops them, too (ignore_invalid_headers, underscores_in_headers).
bool is_plain_name(std::string_view name) {
  for (const char c : name) {
    if (!is_unreserved(c) || c == '_' || c == '.' || c == '~') return false;
  }
  return !name.empty();
}

bool is_context_field(std::string_view name) {
  for (const std::string_view field : kContextFields) {
    if (equals_ignoring_case(name, field)) return true;
  }
  return false;
}

void add_field(HttpRequest& request, std::string name, std::string value) {
  const bool is_forwarded = is_plain_name(name) && !is_hop_by_hop(name) && !is_context_field(name) &&
                            !equals_ignoring_case(name, "content-length") && !equals_ignoring_case(name, "expect");
  if (is_forwarded && request.fields.size() < kFieldsMax)
    request.fields.push_back({std::move(name), on_one_line(std::move(value))});
}

// Calls `use` with each name and value of an object whose values are texts or arrays of them.
template <typename Use>
void for_each_text(Json object, const Use& use) {
  for (JsonItems items(object); items.next();) {
    if (items.value().is(Json::Kind::kArray)) {
      for (JsonItems values(items.value()); values.next();) use(items.key(), values.value().text());
    } else if (!items.value().is(Json::Kind::kNull)) {
      use(items.key(), items.value().text());
    }
  }
}

enum class Query { kDecoded, kEncoded };

std::string query_of(Json event, Query form) {
  Json parameters = event["multiValueQueryStringParameters"];
  if (!parameters.is(Json::Kind::kObject)) parameters = event["queryStringParameters"];
  const auto word = [&](const std::string& text) {
    return form == Query::kDecoded ? encoded_word(text) : encoded_query(text);
  };
  std::string query;
  for_each_text(parameters, [&](const std::string& name, const std::string& value) {
    if (!query.empty()) query += '&';
    query += word(name) + "=" + word(value);
  });
  return query;
}

Shape shape_of(Json event, Json context) {
  const bool has_method = event["httpMethod"].is(Json::Kind::kString) && event["path"].is(Json::Kind::kString);
  if (context["elb"].is(Json::Kind::kObject) && has_method) {
    return event["multiValueHeaders"].is(Json::Kind::kObject) ? Shape::kLoadBalancerMulti : Shape::kLoadBalancer;
  }
  if (context["http"]["method"].is(Json::Kind::kString) && event["rawPath"].is(Json::Kind::kString)) {
    return Shape::kGatewayV2;
  }
  return has_method && context.is(Json::Kind::kObject) ? Shape::kGatewayV1 : Shape::kOther;
}

void take_v2(Json event, Json context, HttpRequest& request) {
  request.method = context["http"]["method"].text();
  request.path = encoded_path(event["rawPath"].text());
  request.query = encoded_query(event["rawQueryString"].text());
  for_each_text(event["headers"], [&](std::string name, std::string value) {
    if (!equals_ignoring_case(name, "cookie")) add_field(request, std::move(name), std::move(value));
  });
  std::string cookies;
  for (JsonItems items(event["cookies"]); items.next();) {
    if (!cookies.empty()) cookies += "; ";
    cookies += items.value().text();
  }
  if (cookies.empty()) cookies = event["headers"]["cookie"].text();
  if (!cookies.empty()) add_field(request, "cookie", std::move(cookies));
}

void take_v1(Json event, Query query, HttpRequest& request) {
  request.method = event["httpMethod"].text();
  request.path = encoded_path(event["path"].text());
  request.query = query_of(event, query);
  Json fields = event["multiValueHeaders"];
  if (!fields.is(Json::Kind::kObject)) fields = event["headers"];
  for_each_text(fields,
                [&](std::string name, std::string value) { add_field(request, std::move(name), std::move(value)); });
}

// A load balancer adds the address to whatever the caller has sent of that field.
std::string last_forwarded(const HttpRequest& request) {
  std::string_view last;
  for (const HttpField& field : request.fields) {
    if (equals_ignoring_case(field.name, "x-forwarded-for")) last = field.value;
  }
  if (const std::size_t comma = last.rfind(','); comma != std::string_view::npos) last.remove_prefix(comma + 1);
  return std::string(trimmed(last));
}

// Never the first of X-Forwarded-For, which is the caller's own text.
std::string caller_of(Shape shape, Json context, const HttpRequest& request) {
  if (shape == Shape::kGatewayV2) return on_one_line(context["http"]["sourceIp"].text());
  if (shape == Shape::kGatewayV1) return on_one_line(context["identity"]["sourceIp"].text());
  return last_forwarded(request);
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void append_member(std::string& out, std::string_view name, std::string_view json) {
  if (out.back() != '{' && out.back() != '[') out += ',';
  runtime::append_json_string(out, name);
  (out += ':').append(json);
}

std::string quoted(std::string_view text) {
  std::string result;
  runtime::append_json_string(result, text);
  return result;
}

std::string lambda_context(const runtime::Invocation& invocation) {
  const auto json_or_null = [](std::string_view json) {
    return Json::parse(json) ? std::string(json) : std::string("null");
  };
  const std::string memory = variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
  std::string environment = "{";
  append_member(environment, "function_name", quoted(variable("AWS_LAMBDA_FUNCTION_NAME")));
  append_member(environment, "memory", Json::parse(memory) ? memory : "0");
  append_member(environment, "version", quoted(variable("AWS_LAMBDA_FUNCTION_VERSION")));
  append_member(environment, "log_group", quoted(variable("AWS_LAMBDA_LOG_GROUP_NAME")));
  append_member(environment, "log_stream", quoted(variable("AWS_LAMBDA_LOG_STREAM_NAME")));
  std::string context = "{";
  append_member(context, "request_id", quoted(invocation.request_id));
  append_member(context, "deadline", std::to_string(invocation.deadline_ms));
  append_member(context, "invoked_function_arn", quoted(invocation.invoked_function_arn));
  append_member(context, "xray_trace_id", invocation.trace_id.empty() ? "null" : quoted(invocation.trace_id));
  append_member(context, "client_context", json_or_null(invocation.client_context));
  append_member(context, "identity", json_or_null(invocation.cognito_identity));
  append_member(context, "tenant_id", invocation.tenant_id.empty() ? "null" : quoted(invocation.tenant_id));
  append_member(context, "env_config", environment + "}");
  return context + "}";
}

void add_context(HttpRequest& request, const runtime::Invocation& invocation, Json request_context) {
  const auto add = [&](std::string_view name, std::string value) {
    if (!value.empty()) request.fields.push_back({std::string(name), on_one_line(std::move(value))});
  };
  if (request.field("host").empty()) add("host", "localhost");
  add(kContextFields[0], std::string(request_context.raw()));
  add(kContextFields[1], lambda_context(invocation));
  add(kContextFields[2], std::string(invocation.trace_id));
}

// A body that is said to be base64 and is not goes on as it came.
void take_body(Json event, HttpRequest& request) {
  const Json body = event["body"];
  if (!body.is(Json::Kind::kString)) return;
  request.decoded_body = body.text();
  if (!event["isBase64Encoded"].is_true()) return;
  std::string bytes;
  if (decode_base64(request.decoded_body, bytes)) request.decoded_body = std::move(bytes);
}

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

bool is_returned(const HttpField& field) {
  return !is_hop_by_hop(field.name) && !equals_ignoring_case(field.name, "content-length");
}

// Names in lower case, fields of one name joined; `cookies` gets the values of Set-Cookie.
std::string single_fields(const HttpReply& reply, std::vector<std::string>& cookies) {
  std::vector<HttpField> joined;
  for (const HttpField& field : reply.fields) {
    if (!is_returned(field)) continue;
    std::string name = lower(field.name);
    if (name == "set-cookie") {
      cookies.push_back(field.value);
      continue;
    }
    bool is_new = true;
    for (HttpField& each : joined) {
      if (each.name != name) continue;
      each.value += "," + field.value;
      is_new = false;
    }
    if (is_new) joined.push_back({std::move(name), field.value});
  }
  std::string object = "{";
  for (const HttpField& each : joined) append_member(object, each.name, quoted(each.value));
  return object + "}";
}

std::string array_of(const std::vector<std::string>& texts) {
  std::string array = "[";
  for (const std::string& text : texts) array += (array.size() > 1 ? "," : "") + quoted(text);
  return array + "]";
}

std::string multi_fields(const HttpReply& reply) {
  std::vector<std::pair<std::string, std::vector<std::string>>> grouped;
  for (const HttpField& field : reply.fields) {
    if (!is_returned(field)) continue;
    std::string name = lower(field.name);
    auto group = grouped.begin();
    while (group != grouped.end() && group->first != name) ++group;
    if (group == grouped.end()) {
      grouped.emplace_back(std::move(name), std::vector<std::string>{field.value});
    } else {
      group->second.push_back(field.value);
    }
  }
  std::string object = "{";
  for (const auto& [name, values] : grouped) append_member(object, name, array_of(values));
  return object + "}";
}

}  // namespace

std::string_view HttpRequest::field(std::string_view name) const {
  for (const HttpField& each : fields) {
    if (equals_ignoring_case(each.name, name)) return each.value;
  }
  return {};
}

bool is_hop_by_hop(std::string_view name) {
  for (const std::string_view each : {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
                                      "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}) {
    if (equals_ignoring_case(name, each)) return true;
  }
  return false;
}

HttpEvent read_http_event(const runtime::Invocation& invocation, std::string_view events_path) {
  HttpEvent read;
  HttpRequest& request = read.request;
  const Json event = Json::parse(invocation.event);
  const Json context = event["requestContext"];
  read.shape = shape_of(event, context);
  if (read.shape == Shape::kGatewayV2) take_v2(event, context, request);
  if (read.shape == Shape::kGatewayV1) take_v1(event, Query::kDecoded, request);
  if (read.shape == Shape::kLoadBalancer || read.shape == Shape::kLoadBalancerMulti) {
    take_v1(event, Query::kEncoded, request);
  }
  if (!is_token(request.method)) {
    read = {};
    request.method = "POST";
    request.path = events_path;
    request.event_body = invocation.event;
    const std::string_view type = invocation.content_type;
    add_field(request, "content-type", std::string(type.empty() ? "application/json" : type));
    add_context(request, invocation, {});
    return read;
  }
  request.caller = caller_of(read.shape, context, request);
  take_body(event, request);
  add_context(request, invocation, context);
  return read;
}

std::string reply_json(Shape shape, const HttpReply& reply) {
  std::string out;
  out.reserve(reply.body.size() + reply.body.size() / 3 + 1024);
  out = "{";
  append_member(out, "statusCode", std::to_string(reply.status));
  std::vector<std::string> cookies;
  if (shape == Shape::kLoadBalancer || shape == Shape::kLoadBalancerMulti) {
    append_member(out, "statusDescription", quoted(std::to_string(reply.status) + " " + reason_of(reply.status)));
  }
  if (shape == Shape::kGatewayV1 || shape == Shape::kLoadBalancerMulti) {
    append_member(out, "multiValueHeaders", multi_fields(reply));
  } else {
    std::string fields = single_fields(reply, cookies);
    // There is room for one cookie only.
    if (shape == Shape::kLoadBalancer && !cookies.empty()) {
      fields.pop_back();
      append_member(fields, "set-cookie", quoted(cookies.back()));
      fields += '}';
    }
    append_member(out, "headers", fields);
  }
  if (shape == Shape::kGatewayV2 && !cookies.empty()) append_member(out, "cookies", array_of(cookies));
  const bool is_text = is_utf8(reply.body);
  append_member(out, "isBase64Encoded", is_text ? "false" : "true");
  append_member(out, "body", "");
  if (is_text) {
    runtime::append_json_string(out, reply.body);
  } else {
    out += '"';
    append_base64(out, reply.body);
    out += '"';
  }
  return out + "}";
}

std::string reply_prelude(const HttpReply& reply) {
  std::vector<std::string> cookies;
  std::string out = "{";
  append_member(out, "statusCode", std::to_string(reply.status));
  append_member(out, "headers", single_fields(reply, cookies));
  if (!cookies.empty()) append_member(out, "cookies", array_of(cookies));
  return out + "}";
}

}  // namespace ogni::bootstrap
