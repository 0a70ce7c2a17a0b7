// A conversation with a server of the function's own: one request at a time, on a connection that is kept. The ways that
// talk to servers (server_way.h) know no more of the protocol than this.
#pragma once

#include <string>
#include <string_view>

#include "bootstrap/http_event.h"
#include "bootstrap/server_process.h"

namespace ogni::bootstrap {

class Exchange {
 public:
  enum class Outcome {
    kHead,    // status and fields are there; so may be some of the body
    kBody,    // more of the body is there
    kDone,    // all of it is there
    kEnded,   // the server has ended
    kFailed,  // the connection was lost or the answer is malformed; problem() says which
    kTime,    // not until `until`
  };
  enum class Taken { kForget, kKeep };
  using Clock = ServerProcess::Clock;

  // More of a body at once is refused.
  static constexpr std::size_t kBodyBytesMax = 256 * 1024 * 1024;

  Exchange(const ServerAddress& address, const ServerProcess& server) : address_(address), server_(server) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;

  // Sends the request, on a new connection where none is fit, and waits for the head of the answer. A connection that was
  // kept and turns out to be closed before any byte of an answer is replaced once, but for POST and PATCH. The body of
  // `request` stays valid until the answer is complete: the server may begin it before it has read everything.
  Outcome begin(const HttpRequest& request, Clock::time_point until = Clock::time_point::max());
  // After kHead and kBody: waits for more, after forgetting what has been passed on.
  Outcome more(Taken taken, Clock::time_point until = Clock::time_point::max());
  void close() { socket_.close(); }

  // What has come of the answer. Valid until the next call that waits.
  virtual HttpReply reply() const = 0;
  virtual std::string_view body() const = 0;
  // Whether anything of the last request may have reached the server.
  bool is_delivered() const { return is_delivered_; }
  const std::string& problem() const { return problem_; }

 protected:
  enum class State { kHead, kBody, kDone, kFailed };
  struct Space {
    char* data;
    std::size_t size;
  };

  // The request as bytes: what comes before its body, and after it where the body can go as it is.
  virtual void encode(const HttpRequest& request, std::string& bytes, std::string_view& body) = 0;
  // Forgets the answer before.
  virtual void expect(const HttpRequest& request) = 0;
  virtual Space space() = 0;
  virtual void commit(std::size_t bytes) = 0;
  virtual void finish() = 0;  // the server has closed the connection
  virtual State state() const = 0;
  virtual void forget_body() = 0;
  virtual bool is_kept() const = 0;  // after kDone: whether the connection can carry another request

 private:
  bool is_stale() const;
  bool has_died(Clock::time_point until) const;
  Outcome attempt(const HttpRequest& request, Clock::time_point until);
  void send_on();
  Outcome receive(Clock::time_point until);
  Outcome judge();
  Outcome fail(std::string problem);

  const ServerAddress& address_;
  const ServerProcess& server_;
  Descriptor socket_;
  std::string bytes_;
  std::string_view unsent_[2];  // what is left of the head and the body; empty also where the server takes no more
  std::string problem_;
  Clock::time_point last_used_;
  bool has_answered_ = false;  // some byte of the answer has come
  bool is_delivered_ = false;
  bool is_sent_ = false;  // the whole request
};

}  // namespace ogni::bootstrap
