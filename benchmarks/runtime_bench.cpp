// The runtime's client against a minimal Runtime API server in a process of its own, beside the same exchange on bare
// sockets with known lengths. The ratio of the two is what parsing and the library cost.
#include <benchmark/benchmark.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/sockets.h"
#include "runtime/client.h"

namespace ogni::benchmarks {
namespace {

constexpr std::string_view kAccepted =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
constexpr std::string_view kNext =
    "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: bench\r\n\r\n";
constexpr std::string_view kResponse =
    "POST /2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response HTTP/1.1\r\n"
    "Host: 127.0.0.1:9001\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n";
constexpr std::string_view kEvent = "{\"name\":\"Ogni\"}";
constexpr std::string_view kEventHead =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
    "Lambda-Runtime-Deadline-Ms: 1767225600000\r\n"
    "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n"
    "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n"
    "Content-Length: 15\r\n\r\n";

// Answers polls with an event and everything else with 202, one connection after the other. Small requests come whole.
class MinimalServer {
 public:
  MinimalServer() {
    const Fd listener = listen_on_loopback(port_);
    process_ = ::fork();
    if (process_ < 0) give_up("fork");
    if (process_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::vector<char> buffer(65536);
    while (true) {
      const Fd connection = accept_on(listener);
      while (::recv(connection.get(), buffer.data(), buffer.size(), 0) > 0) {
        if (buffer[0] == 'G') {
          send_parts(connection.get(), kEventHead, kEvent);
        } else {
          send_parts(connection.get(), kAccepted, {});
        }
      }
    }
  }
  ~MinimalServer() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  MinimalServer(const MinimalServer&) = delete;
  MinimalServer& operator=(const MinimalServer&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

void BM_BareSockets(benchmark::State& state) {
  const MinimalServer server;
  const Fd socket = connect_to_loopback(server.port());
  std::vector<char> buffer(65536);
  const auto receive = [&](std::size_t bytes) {
    for (std::size_t got = 0; got < bytes;) {
      const ssize_t count = ::recv(socket.get(), buffer.data(), bytes - got, 0);
      if (count <= 0) give_up("receive");
      got += static_cast<std::size_t>(count);
    }
  };
  for (auto _ : state) {
    send_parts(socket.get(), kNext, {});
    receive(kEventHead.size() + kEvent.size());
    send_parts(socket.get(), kResponse, kEvent);
    receive(kAccepted.size());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_BareSockets)->UseRealTime();

void BM_RuntimeClient(benchmark::State& state) {
  const MinimalServer server;
  runtime::Client client(*runtime::parse_endpoint("127.0.0.1:" + std::to_string(server.port())), "bench");
  for (auto _ : state) {
    if (!client.next() ||
        client.respond(client.invocation().event, "application/json") != runtime::Client::Answer::kAccepted) {
      state.SkipWithError("the exchange failed");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_RuntimeClient)->UseRealTime();

}  // namespace
}  // namespace ogni::benchmarks
