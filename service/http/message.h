// What a handler sees of HTTP: one request, whole, and the response it makes.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ogni::http {

enum class Method { kGet, kHead, kPost, kPut, kDelete, kPatch, kOptions, kOther };
std::string_view to_string(Method method);

// A request. Lives in its connection, which reuses its memory; views into it hold until the handler has
// answered.
class Request {
 public:
  // Whether the client has left, or at least will send nothing more. Asks the kernel.
  bool peer_is_gone() const { return peer_is_gone_ && peer_is_gone_(); }
  Method method() const { return method_; }
  // Before and after the '?', as sent.
  std::string_view path() const;
  std::string_view query() const;
  // The decoded value of a query parameter; nothing when absent or badly encoded.
  std::optional<std::string> query_value(std::string_view key) const;
  // The value of the first header of this name, ignoring case; "" when absent.
  std::string_view header(std::string_view name) const { return find_header(name).value_or(std::string_view()); }
  std::optional<std::string_view> find_header(std::string_view name) const;
  std::size_t count_headers(std::string_view name) const;
  // The decoded value of {name} in the route's path; "" for a name that the route does not have.
  const std::string& label(std::string_view name) const;

  // Taken by handlers that keep it.
  std::string body;

  // For the parser, the router and tests.
  void clear();  // but for what watches the peer
  void watch_peer(std::function<bool()> is_gone) { peer_is_gone_ = std::move(is_gone); }
  void set_head(Method method, std::string_view target);
  void add_header(std::string_view name, std::string_view value);
  void add_label(std::string_view name, std::string value) { labels_.push_back({name, std::move(value)}); }

 private:
  struct Span {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
  };
  struct Header {
    Span name;
    Span value;
  };
  struct Label {
    std::string_view name;  // the route's
    std::string value;
  };
  Span keep(std::string_view text);
  std::string_view view(Span span) const { return std::string_view(text_).substr(span.begin, span.size); }

  Method method_ = Method::kOther;
  std::string text_;  // every view points in here
  Span target_;
  std::vector<Header> headers_;
  std::vector<Label> labels_;
  std::function<bool()> peer_is_gone_;
};

// Takes the bytes of a body that is made while it is sent.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  // Suspends until the bytes are with the kernel. False when the peer is gone or too slow: stop.
  virtual boost::asio::awaitable<bool> write(std::string_view bytes) = 0;
};
// Runs on the reactor. Cancelled (its waits end with operation_aborted) when the peer leaves or the server
// stops.
using BodyStream = std::function<boost::asio::awaitable<void>(BodyWriter&)>;

class Response {
 public:
  Response() = default;
  explicit Response(int status) : status_(status) {}
  Response(int status, std::string_view content_type, std::string body);

  int status() const { return status_; }
  // Control characters in `value` become spaces: no value can add a header. Content-Length, Connection and
  // Date are the server's.
  Response& add_header(std::string_view name, std::string_view value);
  const std::string& header_text() const { return header_text_; }
  // The value of a header added before; "" when absent. For tests and for what wraps a handler.
  std::string_view header(std::string_view name) const;
  // The connection ends after this response.
  Response& close_after() {
    closes_ = true;
    return *this;
  }
  bool closes() const { return closes_; }

  std::string body;
  BodyStream stream;                          // instead of `body`
  std::optional<std::uint64_t> stream_bytes;  // how many bytes `stream` writes, if known

 private:
  int status_ = 200;
  bool closes_ = false;
  std::string header_text_;  // "Name: value\r\n"…
};

// "200 OK"
std::string_view status_line(int status);

}  // namespace ogni::http
