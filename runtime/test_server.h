// The platform's side of the Runtime API for tests: one connection at a time, byte for byte as the test says.
// Blocking; every wait ends after ten seconds, which shows as an empty result.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/http_parser.h"

namespace ogni::runtime {

class TestServer {
 public:
  struct Request {
    std::string head;
    std::string body;
    std::string trailers = {};  // of a streamed body: whole lines

    std::string line() const { return head.substr(0, head.find("\r\n")); }
    // Value of a field, spelled as it was sent; empty where absent.
    std::string field(std::string_view name) const { return value_in(head, name); }
    std::string trailer(std::string_view name) const { return value_in("\r\n" + trailers, name); }

    static std::string value_in(const std::string& lines, std::string_view name) {
      const std::size_t at = lines.find("\r\n" + std::string(name) + ": ");
      if (at == std::string::npos) return {};
      const std::size_t begin = at + name.size() + 4;
      return lines.substr(begin, lines.find("\r\n", begin) - begin);
    }
  };

  TestServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    limit(listener_);
    ok_ = ::bind(listener_, generic, bytes) == 0 && ::listen(listener_, 8) == 0 &&
          ::getsockname(listener_, generic, &bytes) == 0;
    port_ = ntohs(address.sin_port);
  }
  // Another connection of the same address, for a thread of its own.
  enum class Twin { kOf };
  TestServer(Twin, const TestServer& first) : listener_(::dup(first.listener_)), ok_(first.ok_), port_(first.port_) {}
  ~TestServer() {
    hang_up();
    ::close(listener_);
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  bool ok() const { return ok_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }
  // What came behind the request that was read last.
  std::string_view unread() const { return pending_; }

  // The next request, on the connection there is or on a new one once that has been closed by either side.
  std::optional<Request> read() {
    while (true) {
      if (connection_ < 0 && !accept()) return std::nullopt;
      if (auto request = read_one()) return request;
      hang_up();
    }
  }

  // What comes of a request until `text` is there, without taking it; false if the peer is gone before.
  bool wait_for(std::string_view text) {
    if (connection_ < 0 && !accept()) return false;
    while (pending_.find(text) == std::string::npos) {
      if (!receive()) return false;
    }
    return true;
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void send_status(std::string_view status, std::string_view body = "{\"status\":\"OK\"}\n") {
    send("HTTP/1.1 " + std::string(status) + "\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
  }
  // `fields` are whole lines with CRLF.
  void send_event(std::string_view request_id, std::string_view event, std::string_view fields = {}) {
    const auto deadline = std::chrono::system_clock::now().time_since_epoch() + std::chrono::seconds(60);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count();
    send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: " +
         std::string(request_id) + "\r\nLambda-Runtime-Deadline-Ms: " + std::to_string(ms) + "\r\n" +
         std::string(fields) + "Content-Length: " + std::to_string(event.size()) + "\r\n\r\n" + std::string(event));
  }
  void hang_up() {
    if (connection_ >= 0) ::close(std::exchange(connection_, -1));
    pending_.clear();
  }
  // As hang_up(), seen by the peer as a reset.
  void reset_connection() {
    const linger now = {1, 0};
    ::setsockopt(connection_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    hang_up();
  }

 private:
  static void limit(int socket) {
    const timeval timeout = {10, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  }

  bool accept() {
    connection_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection_ < 0) return false;
    limit(connection_);
    const int on = 1;
    ::setsockopt(connection_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++connections_;
    return true;
  }

  std::optional<Request> read_one() {
    Request request;
    while (true) {
      const std::size_t end = pending_.find("\r\n\r\n");
      if (end != std::string::npos) {
        request.head = pending_.substr(0, end + 2);
        if (request.field("Transfer-Encoding") == "chunked") return read_chunks(std::move(request), end + 4);
        const std::string length = request.field("Content-Length");
        const std::size_t bytes = length.empty() ? 0 : std::stoul(length);
        if (pending_.size() >= end + 4 + bytes) {
          request.body = pending_.substr(end + 4, bytes);
          pending_.erase(0, end + 4 + bytes);
          return request;
        }
      }
      if (!receive()) return std::nullopt;
    }
  }

  bool receive() {
    char buffer[65536];
    const ssize_t count = ::recv(connection_, buffer, sizeof buffer, 0);
    if (count > 0) pending_.append(buffer, static_cast<std::size_t>(count));
    return count > 0;
  }

  // The body begins at `at` in what is pending. A stream that is cut off is what has come of it.
  std::optional<Request> read_chunks(Request request, std::size_t at) {
    while (true) {
      std::size_t line_end;
      while ((line_end = pending_.find("\r\n", at)) == std::string::npos) {
        if (!receive()) return request;
      }
      const std::size_t size = std::stoul(pending_.substr(at, line_end - at), nullptr, 16);
      at = line_end + 2;
      if (size == 0) break;
      while (pending_.size() < at + size + 2) {
        if (!receive()) return request;
      }
      request.body.append(pending_, at, size);
      at += size + 2;
    }
    std::size_t end;
    while ((end = pending_.find("\r\n\r\n", at - 2)) == std::string::npos) {
      if (!receive()) return request;
    }
    if (end + 2 > at) request.trailers = pending_.substr(at, end + 2 - at);
    pending_.erase(0, end + 4);
    return request;
  }

  int listener_;
  int connection_ = -1;
  int connections_ = 0;
  bool ok_ = false;
  std::uint16_t port_ = 0;
  std::string pending_;
};

}  // namespace ogni::runtime
