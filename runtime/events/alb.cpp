#include "ogni/events/alb.hpp"

#include "runtime/events/codec.h"

namespace ogni::events {

template <>
struct Fields<AlbTarget> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("targetGroupArn", self.target_group_arn);
    visit.rest(self.other);
  }
};

template <>
struct Fields<AlbContext> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("elb", self.elb);
    visit.rest(self.other);
  }
};

template <>
struct Fields<AlbRequest> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("requestContext", self.request_context);
    visit("httpMethod", self.http_method);
    visit("path", self.path);
    visit("headers", self.headers);
    visit("multiValueHeaders", self.multi_value_headers);
    visit("queryStringParameters", self.query_string_parameters);
    visit("multiValueQueryStringParameters", self.multi_value_query_string_parameters);
    visit.body(self.body, self.is_base64_encoded);
    visit.rest(self.other);
  }
};

template <>
struct Fields<AlbResponse> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("statusCode", self.status_code);
    visit("statusDescription", self.status_description);
    visit("headers", self.headers);
    visit("multiValueHeaders", self.multi_value_headers);
    visit.always_body(self.body, self.is_base64_encoded);
    visit.rest(self.other);
  }
};

template AlbRequest parse<AlbRequest>(std::string_view);
template std::string to_json(const AlbRequest&);
template AlbResponse parse<AlbResponse>(std::string_view);
template std::string to_json(const AlbResponse&);

}  // namespace ogni::events
