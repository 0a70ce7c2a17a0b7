#include "benchmarks/load_client.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

#include "benchmarks/sockets.h"
#include "runtime/http_parser.h"

namespace ogni::benchmarks {
namespace {

using Clock = std::chrono::steady_clock;
using runtime::ResponseParser;

constexpr std::size_t kBodyBytesMax = 64 * 1024 * 1024;

struct Connection {
  explicit Connection(std::uint16_t port) : socket(connect_to_loopback(port)), parser(kBodyBytesMax) {}
  Fd socket;
  ResponseParser parser;
  Clock::time_point sent;
};

class Run {
 public:
  explicit Run(const Load& load)
      : payload_(payload_of(load.payload_bytes)),
        head_(invoke_request(load.function, payload_.size())),
        warm_up_(load.requests / 10),
        total_(load.requests + warm_up_) {
    for (std::size_t i = 0; i < load.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(load.port));
    }
    result_.latencies.reserve(load.requests);
  }

  LoadResult run() {
    if (connections_.size() == 1) {
      while (begin(*connections_[0])) {
        while (!receive(*connections_[0], 0)) {
        }
      }
    } else {
      run_many();
    }
    result_.seconds = std::chrono::duration<double>(Clock::now() - measured_from_).count();
    std::sort(result_.latencies.begin(), result_.latencies.end());
    return std::move(result_);
  }

 private:
  void run_many() {
    const Fd events(::epoll_create1(EPOLL_CLOEXEC));
    for (auto& connection : connections_) {
      epoll_event event = {.events = EPOLLIN, .data = {.ptr = connection.get()}};
      if (::epoll_ctl(events.get(), EPOLL_CTL_ADD, connection->socket.get(), &event) != 0) give_up("epoll_ctl");
      begin(*connection);
    }
    while (finished_ < started_) {
      epoll_event ready[64];
      const int count = ::epoll_wait(events.get(), ready, 64, -1);
      for (int i = 0; i < count; ++i) {
        auto& connection = *static_cast<Connection*>(ready[i].data.ptr);
        if (receive(connection, MSG_DONTWAIT)) begin(connection);
      }
    }
  }

  bool begin(Connection& connection) {
    if (started_ == total_) return false;
    if (started_++ == warm_up_) measured_from_ = Clock::now();
    connection.parser.reset();
    connection.sent = Clock::now();
    if (!send_parts(connection.socket.get(), head_, payload_)) give_up("send");
    return true;
  }

  // Whether the answer is complete.
  bool receive(Connection& connection, int flags) {
    const ResponseParser::Space space = connection.parser.space();
    const ssize_t count = ::recv(connection.socket.get(), space.data, space.size, flags);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count <= 0) give_up("receive");
    const auto state = connection.parser.commit(static_cast<std::size_t>(count));
    if (state == ResponseParser::State::kFailed) give_up("parse the answer");
    if (state != ResponseParser::State::kDone) return false;
    const auto took = Clock::now() - connection.sent;
    if (finished_++ >= warm_up_) result_.latencies.push_back(took);
    check(connection.parser);
    return true;
  }

  void check(const ResponseParser& answer) {
    if (answer.status() == 200 && answer.body() == payload_) return;
    if (result_.failures++ > 0) return;
    result_.first_failure = "status " + std::to_string(answer.status()) + ": ";
    result_.first_failure += answer.body().substr(0, 200);
  }

  std::string payload_;
  std::string head_;
  std::size_t warm_up_;
  std::size_t total_;
  std::size_t started_ = 0;
  std::size_t finished_ = 0;
  Clock::time_point measured_from_ = Clock::now();
  std::vector<std::unique_ptr<Connection>> connections_;
  LoadResult result_;
};

}  // namespace

double LoadResult::percentile_us(double percent) const {
  if (latencies.empty()) return 0;
  const auto index = static_cast<std::size_t>(percent / 100 * static_cast<double>(latencies.size() - 1));
  return std::chrono::duration<double, std::micro>(latencies[index]).count();
}

double LoadResult::rate() const { return seconds > 0 ? static_cast<double>(latencies.size()) / seconds : 0; }

std::string payload_of(std::size_t bytes) { return '"' + std::string(bytes < 2 ? 0 : bytes - 2, 'x') + '"'; }

std::string invoke_request(const std::string& function, std::size_t payload_bytes) {
  return "POST /2015-03-31/functions/" + function +
         "/invocations HTTP/1.1\r\n"
         "Host: 127.0.0.1:4566\r\n"
         "Accept-Encoding: identity\r\n"
         "User-Agent: Boto3/1.26.27 Python/3.11.2 Linux/6.1.0 Botocore/1.29.27\r\n"
         "X-Amz-Invocation-Type: RequestResponse\r\n"
         "X-Amz-Date: 20260101T000000Z\r\n"
         "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, "
         "SignedHeaders=host;x-amz-date;x-amz-invocation-type, "
         "Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n"
         "Content-Type: application/json\r\n"
         "Content-Length: " +
         std::to_string(payload_bytes) + "\r\n\r\n";
}

LoadResult run_load(const Load& load) { return Run(load).run(); }

std::string describe(const std::string& name, const Load& load, const LoadResult& result, Format format) {
  const char* const pattern =
      format == Format::kJson
          ? "{\"name\":\"%s\",\"connections\":%zu,\"payload_bytes\":%zu,\"requests\":%zu,"
            "\"p50_us\":%.1f,\"p99_us\":%.1f,\"rate\":%.0f,\"failures\":%zu}"
          : "%-14s %4zu connections %8zu bytes %8zu requests   p50 %9.1f us   p99 %9.1f us   %8.0f/s   %zu failed";
  char line[512];
  std::snprintf(line, sizeof line, pattern, name.c_str(), load.connections, load.payload_bytes, result.latencies.size(),
                result.percentile_us(50), result.percentile_us(99), result.rate(), result.failures);
  return line;
}

}  // namespace ogni::benchmarks
