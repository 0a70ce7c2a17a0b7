#include "bootstrap/fastcgi_exchange.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "bootstrap/text.h"
#include "runtime/http_parser.h"

namespace ogni::bootstrap {
namespace {

using runtime::equals_ignoring_case;

constexpr std::size_t kHeadBytesMax = 64 * 1024;

// The name of a field as CGI has it: HTTP_X_FORWARDED_FOR.
std::string variable_of(std::string_view field) {
  std::string name = "HTTP_";
  for (const char c : field) {
    name += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

// What follows the name of the script in the path, decoded (RFC 3875, 4.1.5). With PHP it is nothing where the path
// does not name the script, as with servers that rewrite: PHP puts it into PHP_SELF, from which applications make their
// links.
std::string path_info(const FastcgiScript& script, std::string_view path) {
  if (!script.is_php) return percent_decoded(path);
  const std::string decoded = percent_decoded(path);
  return decoded.starts_with(script.name + "/") ? decoded.substr(script.name.size()) : std::string();
}

// The host without its port.
std::string_view name_of(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  return host.find(']', colon == std::string_view::npos ? 0 : colon) == std::string_view::npos ? host.substr(0, colon)
                                                                                               : host;
}

bool take_line(CgiHead& head, std::string_view line, bool& has_status) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (name.find_first_of(" \t") != std::string_view::npos || value.find('\0') != std::string_view::npos) return false;
  if (!equals_ignoring_case(name, "status")) {
    head.fields.push_back({std::string(name), std::string(value)});
    return true;
  }
  has_status = true;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), head.status);
  return parsed.ec == std::errc() && head.status >= 100 && head.status <= 999;
}

}  // namespace

std::optional<CgiHead> parse_cgi_head(std::string_view output, std::size_t& bytes) {
  CgiHead head;
  bool has_status = false;
  bool has_location = false;
  std::size_t at = 0;
  bytes = 0;
  while (true) {
    const std::size_t end = output.find('\n', at);
    if (end == std::string_view::npos) {
      if (output.size() > kHeadBytesMax) return std::nullopt;
      return head;
    }
    std::string_view line = output.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at = end + 1;
    if (line.empty()) break;
    if (!take_line(head, line, has_status)) return std::nullopt;
    has_location = has_location || equals_ignoring_case(line.substr(0, 9), "location:");
  }
  if (at > kHeadBytesMax) return std::nullopt;
  if (has_location && !has_status) head.status = 302;
  bytes = at;
  return head;
}

void FastcgiExchange::encode(const HttpRequest& request, std::string& bytes, std::string_view& body) {
  FastcgiWriter writer(bytes);
  const std::string_view host = request.field("host");
  const std::string_view port = request.field("x-forwarded-port");
  const bool is_secure = equals_ignoring_case(request.field("x-forwarded-proto"), "https");
  writer.parameter("GATEWAY_INTERFACE", "CGI/1.1");
  writer.parameter("SERVER_PROTOCOL", "HTTP/1.1");
  writer.parameter("SERVER_SOFTWARE", "ogni");
  writer.parameter("SERVER_NAME", name_of(host));
  writer.parameter("SERVER_PORT", !port.empty() ? port : is_secure ? "443" : "80");
  writer.parameter("REMOTE_ADDR", request.caller.empty() ? "127.0.0.1" : request.caller);
  writer.parameter("DOCUMENT_ROOT", script_.root);
  writer.parameter("SCRIPT_FILENAME", script_.root + script_.name);
  writer.parameter("SCRIPT_NAME", script_.name);
  writer.parameter("PATH_INFO", path_info(script_, request.path));
  writer.parameter("REQUEST_METHOD", request.method);
  writer.parameter("REQUEST_URI", request.query.empty() ? request.path : request.path + "?" + request.query);
  writer.parameter("QUERY_STRING", request.query);
  writer.parameter("CONTENT_TYPE", request.field("content-type"));
  writer.parameter("CONTENT_LENGTH", std::to_string(request.body().size()));
  if (is_secure) writer.parameter("HTTPS", "on");
  writer.parameter("_X_AMZN_TRACE_ID", request.field("x-amzn-trace-id"));
  std::vector<HttpField> variables;
  for (const HttpField& field : request.fields) {
    // A Proxy field would be taken for the variable that names an outgoing proxy.
    if (equals_ignoring_case(field.name, "proxy") || equals_ignoring_case(field.name, "content-type")) continue;
    std::string name = variable_of(field.name);
    const auto known =
        std::find_if(variables.begin(), variables.end(), [&](const HttpField& each) { return each.name == name; });
    if (known == variables.end()) {
      variables.push_back({std::move(name), field.value});
    } else {
      known->value += (known->name == "HTTP_COOKIE" ? "; " : ", ") + field.value;
    }
  }
  for (const HttpField& variable : variables) writer.parameter(variable.name, variable.value);
  writer.finish(request.body());
  body = {};
}

void FastcgiExchange::expect(const HttpRequest&) {
  reader_.reset();
  state_ = State::kHead;
  head_ = {};
  body_begin_ = 0;
}

void FastcgiExchange::commit(std::size_t bytes) {
  const FastcgiReader::State read = reader_.take({buffer_.data(), bytes});
  if (const std::string errors = reader_.take_errors(); !errors.empty()) {
    write_all(STDERR_FILENO, errors);
    if (errors.back() != '\n') write_all(STDERR_FILENO, "\n");
  }
  if (state_ == State::kHead) {
    auto head = parse_cgi_head(reader_.output(), body_begin_);
    if (!head) {
      state_ = State::kFailed;
      return;
    }
    if (body_begin_ > 0) {
      head_ = std::move(*head);
      state_ = State::kBody;
    }
  }
  if (read == FastcgiReader::State::kFailed) state_ = State::kFailed;
  if (read == FastcgiReader::State::kDone) state_ = state_ == State::kBody ? State::kDone : State::kFailed;
}

void FastcgiExchange::forget_body() {
  reader_.forget_output();
  body_begin_ = 0;
}

std::string_view FastcgiExchange::body() const {
  return state_ == State::kHead ? std::string_view() : std::string_view(reader_.output()).substr(body_begin_);
}

HttpReply FastcgiExchange::reply() const {
  HttpReply reply;
  reply.status = head_.status;
  reply.fields = head_.fields;
  reply.body = body();
  return reply;
}

}  // namespace ogni::bootstrap
