// One connection to the function's web server, kept from one request to the next.
#pragma once

#include <string>

#include "bootstrap/http_event.h"
#include "bootstrap/server_process.h"
#include "runtime/http_parser.h"

namespace ogni::bootstrap {

class HttpExchange {
 public:
  enum class Outcome {
    kHead,    // status and fields are there; so may be some of the body
    kBody,    // more of the body is there
    kDone,    // all of it is there
    kEnded,   // the server has ended
    kFailed,  // the connection was lost or the answer is no HTTP; problem() says which
    kTime,    // not until `until`
  };
  using Clock = ServerProcess::Clock;

  // More than so much at once is refused.
  static constexpr std::size_t kBodyBytesMax = 256 * 1024 * 1024;

  HttpExchange(const ServerAddress& address, const ServerProcess& server) : address_(address), server_(server) {}

  // Sends the request, on a new connection where there is none, and waits for the head of the answer. One that was kept
  // and turns out to be closed before any byte of an answer is replaced once, but for POST and PATCH.
  Outcome begin(const HttpRequest& request, Clock::time_point until = Clock::time_point::max());
  // After kHead and kBody: waits for more, after forgetting what has been passed on.
  enum class Taken { kForget, kKeep };
  Outcome more(Taken taken, Clock::time_point until = Clock::time_point::max());
  void close() { socket_.close(); }

  const runtime::ResponseParser& response() const { return parser_; }
  HttpReply reply() const;
  // Whether anything of the last request may have reached the server.
  bool is_delivered() const { return is_delivered_; }
  const std::string& problem() const { return problem_; }

 private:
  bool is_stale() const;
  Outcome attempt(const HttpRequest& request, Clock::time_point until);
  Outcome receive(Clock::time_point until);
  Outcome judge();
  Outcome fail(std::string problem);
  void write_head(const HttpRequest& request);

  const ServerAddress& address_;
  const ServerProcess& server_;
  Descriptor socket_;
  runtime::ResponseParser parser_{kBodyBytesMax};
  std::string head_;
  std::string problem_;
  Clock::time_point last_used_;
  bool has_answered_ = false;  // some byte of the answer has come
  bool is_delivered_ = false;
  bool is_sent_ = false;  // the whole request
};

}  // namespace ogni::bootstrap
