// A small blocking HTTP/1.1 client: one kept-alive connection to one plain-http endpoint.
//
// Not thread-safe. Every wait has a bound. A kept-alive connection that the peer has closed in the meantime is replaced
// before a request is sent on it; no request is ever sent twice.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace ogni::cli {

struct Endpoint {
  std::string host = "127.0.0.1";  // name or address, without brackets
  std::uint16_t port = 4566;

  std::string url() const;        // http://127.0.0.1:4566
  std::string authority() const;  // 127.0.0.1:4566
};

// "http://HOST[:PORT][/]". Errors: kInvalidArgument; https is refused by name.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view url);

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, already percent-encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view body;  // borrowed for the call
  std::string_view content_type = "application/json";
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The first value of a header, compared without case; empty if absent. Valid while the response lives.
  std::string_view header(std::string_view name) const;
};

struct HttpTimeouts {
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds exchange{60'000};  // from the first byte sent to the last one received
};

class HttpClient {
 public:
  explicit HttpClient(Endpoint endpoint, HttpTimeouts timeouts = {});
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;

  const Endpoint& endpoint() const { return endpoint_; }

  // Answers larger than this are an error.
  static constexpr std::size_t kAnswerBytesMax = 64 * 1024 * 1024;
  // `on_progress` hears how many bytes of a body are sent so far.
  using Progress = std::function<void(std::size_t sent)>;

  // Errors: kUnavailable when nobody answers, with words for the user; kTimedOut; kIo for an answer that is
  // not HTTP.
  [[nodiscard]] Result<HttpResponse> send(const HttpRequest& request) { return send(request, timeouts_.exchange); }
  [[nodiscard]] Result<HttpResponse> send(const HttpRequest& request, std::chrono::milliseconds exchange,
                                          const Progress& on_progress = {});

  // Receives a body of any length in pieces, until the peer ends it or `on_piece` returns false; between two
  // pieces it waits as long as it takes. `on_piece` hears only bodies of 200; for any other status the whole
  // answer is returned.
  [[nodiscard]] Result<HttpResponse> stream(const HttpRequest& request,
                                            const std::function<bool(std::string_view piece)>& on_piece);

 private:
  struct Connection;
  Result<void> connect();
  Result<HttpResponse> exchange_once(const HttpRequest& request, std::chrono::milliseconds exchange,
                                     const Progress& on_progress);

  Endpoint endpoint_;
  HttpTimeouts timeouts_;
  std::unique_ptr<Connection> connection_;
};

// One segment of a path or one value of a query: everything but unreserved characters is percent-encoded.
std::string percent_encode(std::string_view text);

}  // namespace ogni::cli
