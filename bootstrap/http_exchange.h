// HTTP/1.1 with the function's web server.
#pragma once

#include "bootstrap/exchange.h"
#include "runtime/http_parser.h"

namespace ogni::bootstrap {

class HttpExchange final : public Exchange {
 public:
  using Exchange::Exchange;

  HttpReply reply() const override;
  std::string_view body() const override { return parser_.body(); }

 private:
  void encode(const HttpRequest& request, std::string& bytes, std::string_view& body) override;
  void expect(const HttpRequest& request) override;
  Space space() override;
  void commit(std::size_t bytes) override { parser_.commit(bytes); }
  void finish() override { parser_.finish(); }
  State state() const override;
  void forget_body() override { parser_.forget_body(); }
  bool is_kept() const override { return parser_.keep_alive() && parser_.excess() == 0; }

  runtime::ResponseParser parser_{kBodyBytesMax};
};

}  // namespace ogni::bootstrap
