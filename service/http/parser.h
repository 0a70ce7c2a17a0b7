// Beast's HTTP/1.1 parser behind a small interface: the head of a request into a Request, and chunked bodies with
// their trailers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "service/http/message.h"

namespace ogni::http {

class RequestParser {
 public:
  explicit RequestParser(std::size_t head_bytes_max);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;

  enum class Body { kNone, kLength, kChunked };
  struct Head {
    std::size_t bytes = 0;  // consumed; 0 when the head is not complete yet
    Body body = Body::kNone;
    std::uint64_t body_bytes = 0;  // of a kLength body
    bool keep_alive = false;
    bool is_http_1_0 = false;
    bool expects_continue = false;
  };
  // `bytes` is everything received since the last request, from its first byte on. Call again with more bytes
  // after the same ones until the head is complete. Errors: kInvalidArgument for what is not HTTP; kTooLarge as soon
  // as more than head_bytes_max, or more than kFieldsMax fields, have come, whether or not the head is complete.
  static constexpr std::size_t kFieldsMax = 1000;
  [[nodiscard]] Result<Head> parse_head(std::string_view bytes, Request& request);
  // How many lines of the head have come so far, its last, empty one among them.
  std::size_t head_lines() const;

  struct Chunks {
    std::size_t bytes = 0;  // consumed; the rest has to be given again, with more behind it
    std::size_t begun = 0;  // how many chunks
    bool complete = false;
    // `body` would have passed body_bytes_max: what is beyond is not kept. Further calls find the body's end all the same.
    bool too_large = false;
  };
  // After a head with Body::kChunked. Appends what it finds to `body`. Errors: kInvalidArgument.
  [[nodiscard]] Result<Chunks> parse_chunks(std::string_view bytes, std::string& body, std::size_t body_bytes_max);
  // The value of a field behind the last chunk, ignoring case; "" when absent. Such a field is never among the request's
  // headers: those have been acted on by the time that it comes.
  std::string_view trailer(std::string_view name) const;

  // Before the next request of the connection.
  void reset();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ogni::http
