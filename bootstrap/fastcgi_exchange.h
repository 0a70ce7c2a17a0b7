// FastCGI with php-fpm or another application of the function's own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bootstrap/exchange.h"
#include "bootstrap/fastcgi_record.h"

namespace ogni::bootstrap {

// Status and fields of a CGI answer (RFC 3875, 6).
struct CgiHead {
  int status = 200;
  std::vector<HttpField> fields;
};

// Looks for the end of the head in what has come. `bytes` is 0 while it has not; nothing: it is malformed.
std::optional<CgiHead> parse_cgi_head(std::string_view output, std::size_t& bytes);

// What is run for every request.
struct FastcgiScript {
  std::string root;  // DOCUMENT_ROOT, absolute
  std::string name;  // SCRIPT_NAME: its path within the root, with a slash before it
  bool is_php = false;
};

class FastcgiExchange final : public Exchange {
 public:
  FastcgiExchange(const ServerAddress& address, const ServerProcess& server, FastcgiScript script)
      : Exchange(address, server), script_(std::move(script)) {}

  HttpReply reply() const override;
  std::string_view body() const override;

 private:
  void encode(const HttpRequest& request, std::string& bytes, std::string_view& body) override;
  void expect(const HttpRequest& request) override;
  Space space() override { return {buffer_.data(), buffer_.size()}; }
  void commit(std::size_t bytes) override;
  void finish() override {}
  State state() const override { return state_; }
  void forget_body() override;
  bool is_kept() const override { return !reader_.has_excess(); }

  FastcgiScript script_;
  std::vector<char> buffer_ = std::vector<char>(64 * 1024);
  FastcgiReader reader_{kBodyBytesMax};
  State state_ = State::kHead;
  CgiHead head_;
  std::size_t body_begin_ = 0;  // in the reader's output
};

}  // namespace ogni::bootstrap
