#include "bootstrap/http_exchange.h"

namespace ogni::bootstrap {

void HttpExchange::encode(const HttpRequest& request, std::string& bytes, std::string_view& body) {
  bytes.append(request.method).append(" ").append(request.path);
  if (!request.query.empty()) bytes.append("?").append(request.query);
  bytes.append(" HTTP/1.1\r\n");
  for (const HttpField& field : request.fields) {
    bytes.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  body = request.body();
  const bool usually_has_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (usually_has_body || !body.empty()) {
    bytes.append("content-length: ").append(std::to_string(body.size())).append("\r\n");
  }
  bytes.append("\r\n");
}

void HttpExchange::expect(const HttpRequest& request) {
  parser_.reset();
  if (request.method == "HEAD") parser_.expect_no_body();
}

Exchange::Space HttpExchange::space() {
  const auto space = parser_.space();
  return {space.data, space.size};
}

Exchange::State HttpExchange::state() const {
  switch (parser_.state()) {
    case runtime::ResponseParser::State::kHead:
      return State::kHead;
    case runtime::ResponseParser::State::kBody:
      return State::kBody;
    case runtime::ResponseParser::State::kDone:
      return State::kDone;
    default:
      return State::kFailed;
  }
}

HttpReply HttpExchange::reply() const {
  HttpReply reply;
  reply.status = parser_.status();
  reply.body = parser_.body();
  for (std::size_t i = 0; i < parser_.fields_count(); ++i) {
    const auto& field = parser_.field(i);
    reply.fields.push_back({std::string(field.name), std::string(field.value)});
  }
  return reply;
}

}  // namespace ogni::bootstrap
