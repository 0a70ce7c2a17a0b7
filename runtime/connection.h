// One TCP connection to the Runtime API: bytes out, a response in. Every wait but the one for an event is bounded.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <string_view>

#include "runtime/endpoint.h"
#include "runtime/http_parser.h"

namespace ogni::runtime {

class Connection {
 public:
  enum class Wait {
    kForever,  // the platform may freeze the process for hours
    kBounded,  // kAnswerSeconds without a byte, or longer where the caller says so
  };
  enum class Sent {
    kAll,
    kAnswered,  // the peer has said something before it had everything; not all was sent
    kLost,
  };
  // How long the platform may take to accept or acknowledge an answer.
  static constexpr int kAnswerSeconds = 60;

  explicit Connection(const Endpoint& endpoint) : endpoint_(endpoint) {}
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool is_open() const { return socket_ >= 0; }
  int socket() const { return socket_; }
  std::string_view authority() const { return endpoint_.authority(); }

  bool open();
  void close();
  // Whether the peer has closed a connection on which nothing is expected. One system call.
  bool is_stale() const;

  // One system call where the kernel takes everything. False: not all was sent.
  [[nodiscard]] bool send(iovec* parts, int count);
  // As send(), but watches for an early answer while it waits, and waits for `patience_ms` without progress at most.
  [[nodiscard]] Sent send_watching(iovec* parts, int count, std::int64_t patience_ms);
  // Until the response is complete. False: lost, or not HTTP, or too late: kBounded gives up when no byte has come for
  // `patience_ms`, which is kAnswerSeconds at least.
  [[nodiscard]] bool receive(ResponseParser& parser, Wait wait, std::int64_t patience_ms = kAnswerSeconds * 1000);

 private:
  bool comes_late(std::int64_t patience_ms) const;

  Endpoint endpoint_;
  int socket_ = -1;
};

}  // namespace ogni::runtime
