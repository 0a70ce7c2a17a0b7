#include "service/http/message.h"

#include "base/text.h"
#include "service/http/url.h"

namespace ogni::http {

std::string_view to_string(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kHead:
      return "HEAD";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kDelete:
      return "DELETE";
    case Method::kPatch:
      return "PATCH";
    case Method::kOptions:
      return "OPTIONS";
    case Method::kOther:
      break;
  }
  return "OTHER";
}

std::string_view Request::path() const {
  const std::string_view target = view(target_);
  return target.substr(0, target.find('?'));
}

std::string_view Request::query() const {
  const std::string_view target = view(target_);
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

std::optional<std::string> Request::query_value(std::string_view key) const { return http::query_value(query(), key); }

std::optional<std::string_view> Request::find_header(std::string_view name) const {
  for (const Header& header : headers_) {
    if (header.name.size == name.size() && equals_ignoring_case(view(header.name), name)) {
      return view(header.value);
    }
  }
  return {};
}

std::size_t Request::count_headers(std::string_view name) const {
  std::size_t count = 0;
  for (const Header& header : headers_) {
    if (equals_ignoring_case(view(header.name), name)) ++count;
  }
  return count;
}

const std::string& Request::label(std::string_view name) const {
  static const std::string kNone;
  for (const Label& label : labels_) {
    if (label.name == name) return label.value;
  }
  return kNone;
}

void Request::clear() {
  method_ = Method::kOther;
  text_.clear();
  target_ = {};
  headers_.clear();
  labels_.clear();
  std::string().swap(body);  // assigning would keep the old capacity
}

void Request::set_head(Method method, std::string_view target) {
  method_ = method;
  target_ = keep(target);
}

void Request::add_header(std::string_view name, std::string_view value) {
  const Span kept_name = keep(name);
  headers_.push_back({.name = kept_name, .value = keep(value)});
}

Request::Span Request::keep(std::string_view text) {
  const Span span{.begin = static_cast<std::uint32_t>(text_.size()), .size = static_cast<std::uint32_t>(text.size())};
  text_ += text;
  return span;
}

Response::Response(int status, std::string_view content_type, std::string text)
    : body(std::move(text)), status_(status) {
  add_header("Content-Type", content_type);
}

Response& Response::add_header(std::string_view name, std::string_view value) {
  if (header_text_.empty()) header_text_.reserve(384);
  header_text_ += name;
  header_text_ += ": ";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    header_text_ += (byte < 0x20 && c != '\t') || byte == 0x7f ? ' ' : c;
  }
  header_text_ += "\r\n";
  return *this;
}

std::string_view Response::header(std::string_view name) const {
  std::string_view rest = header_text_;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(':');
    if (equals_ignoring_case(line.substr(0, colon), name)) return line.substr(colon + 2);
  }
  return {};
}

std::string_view status_line(int status) {
  switch (status) {
    case 200:
      return "200 OK";
    case 201:
      return "201 Created";
    case 202:
      return "202 Accepted";
    case 204:
      return "204 No Content";
    case 304:
      return "304 Not Modified";
    case 400:
      return "400 Bad Request";
    case 403:
      return "403 Forbidden";
    case 404:
      return "404 Not Found";
    case 405:
      return "405 Method Not Allowed";
    case 408:
      return "408 Request Timeout";
    case 409:
      return "409 Conflict";
    case 410:
      return "410 Gone";
    case 412:
      return "412 Precondition Failed";
    case 413:
      return "413 Content Too Large";
    case 415:
      return "415 Unsupported Media Type";
    case 429:
      return "429 Too Many Requests";
    case 431:
      return "431 Request Header Fields Too Large";
    case 500:
      return "500 Internal Server Error";
    case 501:
      return "501 Not Implemented";
    case 502:
      return "502 Bad Gateway";
    case 503:
      return "503 Service Unavailable";
    default:
      return "500 Internal Server Error";
  }
}

}  // namespace ogni::http
