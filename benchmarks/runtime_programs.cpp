// Functions as programs against a minimal Runtime API server in this process: how long from their start to the first poll,
// beside an empty program from start to end; how many invocations a second, and how long one of the largest takes, beside
// the same exchange on bare sockets.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/sockets.h"

namespace ogni::benchmarks {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kAccepted =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
constexpr std::string_view kNext =
    "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: bench\r\n\r\n";
constexpr std::string_view kResponse =
    "POST /2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response HTTP/1.1\r\n"
    "Host: 127.0.0.1:9001\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: ";
constexpr std::string_view kEvent =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
    "Lambda-Runtime-Deadline-Ms: 1767225600000\r\n"
    "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n"
    "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n"
    "Content-Length: ";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
// AWS's largest event; some in each round.
constexpr std::size_t kLargeEventBytes = 6 * 1024 * 1024;
constexpr int kLargeInvocations = 4;

// An event that comes back as the response: what both sides send, and how much of each.
struct Exchange {
  explicit Exchange(std::string what)
      : event(std::move(what)),
        event_head(std::string(kEvent) + std::to_string(event.size()) + std::string(kHeadEnd)),
        response_head(std::string(kResponse) + std::to_string(event.size()) + std::string(kHeadEnd)) {}

  std::string event;
  std::string event_head;
  std::string response_head;
};

double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

pid_t start(const std::string& program, std::uint16_t port) {
  std::string address = "AWS_LAMBDA_RUNTIME_API=127.0.0.1:" + std::to_string(port);
  std::string path = program;
  std::array<char*, 2> arguments = {path.data(), nullptr};
  std::array<char*, 2> environment = {address.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t process = -1;
  const int failed = ::posix_spawn(&process, program.c_str(), &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) give_up(program.c_str());
  return process;
}

// Requests of one connection, however their bytes come: a poll is a head, an answer a head and as many bytes as the event.
class Requests {
 public:
  Requests(int socket, std::size_t event_bytes)
      : socket_(socket), event_bytes_(event_bytes), buffer_(event_bytes + kHeadBytesMax) {}

  // The first letter of its method; 0 when the peer has closed.
  char read() {
    std::size_t size = 0;
    std::size_t expected = 0;  // unknown
    while (expected == 0 || size < expected) {
      const ssize_t count = ::recv(socket_, buffer_.data() + size, buffer_.size() - size, 0);
      if (count <= 0) return 0;
      size += static_cast<std::size_t>(count);
      if (expected != 0) continue;
      const std::size_t end = std::string_view(buffer_.data(), size).find(kHeadEnd);
      if (end != std::string_view::npos) expected = end + kHeadEnd.size() + (buffer_[0] == 'G' ? 0 : event_bytes_);
    }
    return buffer_[0];
  }

 private:
  static constexpr std::size_t kHeadBytesMax = 16384;

  int socket_;
  std::size_t event_bytes_;
  std::vector<char> buffer_;
};

void end(pid_t process) {
  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
}

double start_of_empty(const std::string& program, int runs) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) {
    const auto began = Clock::now();
    const pid_t process = start(program, 1);
    ::waitpid(process, nullptr, 0);
    times.push_back(microseconds(Clock::now() - began));
  }
  return median(std::move(times));
}

double start_to_poll(const std::string& program, int runs) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) {
    std::uint16_t port = 0;
    const Fd listener = listen_on_loopback(port);
    const auto began = Clock::now();
    const pid_t process = start(program, port);
    const Fd connection = accept_on(listener);
    if (Requests(connection.get(), 0).read() != 'G') give_up("a first poll");
    times.push_back(microseconds(Clock::now() - began));
    end(process);
  }
  return median(std::move(times));
}

// Invocations a second of whoever polls on this connection.
double serve(int connection, const Exchange& exchange, int invocations) {
  Requests requests(connection, exchange.event.size());
  Clock::time_point began;
  const int warm_up = invocations / 10 + 1;
  for (int done = 0; done < invocations + warm_up;) {
    const char method = requests.read();
    if (method == 0) give_up("a request");
    if (method == 'G') {
      if (done == warm_up) began = Clock::now();
      send_parts(connection, exchange.event_head, exchange.event);
    } else {
      send_parts(connection, kAccepted, {});
      ++done;
    }
  }
  return invocations / (microseconds(Clock::now() - began) / 1e6);
}

double rate_of(const std::string& program, const Exchange& exchange, int invocations) {
  std::uint16_t port = 0;
  const Fd listener = listen_on_loopback(port);
  const pid_t process = start(program, port);
  const Fd connection = accept_on(listener);
  const double rate = serve(connection.get(), exchange, invocations);
  end(process);
  return rate;
}

[[noreturn]] void poll_on_bare_sockets(std::uint16_t port, const Exchange& exchange) {
  const Fd socket = connect_to_loopback(port);
  std::vector<char> buffer(std::max<std::size_t>(65536, exchange.event_head.size() + exchange.event.size()));
  const auto receive = [&](std::size_t bytes) {
    for (std::size_t got = 0; got < bytes;) {
      const ssize_t count = ::recv(socket.get(), buffer.data() + got, bytes - got, 0);
      if (count <= 0) ::_exit(0);
      got += static_cast<std::size_t>(count);
    }
  };
  const std::string_view event(buffer.data() + exchange.event_head.size(), exchange.event.size());
  while (true) {
    send_parts(socket.get(), kNext, {});
    receive(exchange.event_head.size() + event.size());
    send_parts(socket.get(), exchange.response_head, event);
    receive(kAccepted.size());
  }
}

double rate_of_bare_sockets(const Exchange& exchange, int invocations) {
  std::uint16_t port = 0;
  const Fd listener = listen_on_loopback(port);
  const pid_t process = ::fork();
  if (process < 0) give_up("fork");
  if (process == 0) poll_on_bare_sockets(port, exchange);
  const Fd connection = accept_on(listener);
  const double rate = serve(connection.get(), exchange, invocations);
  end(process);
  return rate;
}

long long size_of(const std::string& program) {
  struct stat status = {};
  return ::stat(program.c_str(), &status) == 0 ? static_cast<long long>(status.st_size) : 0;
}

int run(int argc, char** argv) {
  CLI::App app("Start and throughput of functions as programs, beside what this machine can do at all");
  std::string empty;
  std::vector<std::string> programs;
  int invocations = 80'000;
  int rounds = 40;
  int runs = 100;
  bool json = false;
  app.add_option("--empty", empty, "a static program that does nothing")->required();
  app.add_option("programs", programs, "NAME=PATH of functions that echo")->required();
  app.add_option("--invocations", invocations)->check(CLI::PositiveNumber);
  app.add_option("--rounds", rounds, "in which they are made, program by program")->check(CLI::PositiveNumber);
  app.add_option("--runs", runs, "starts of each program")->check(CLI::PositiveNumber);
  app.add_flag("--json", json);
  CLI11_PARSE(app, argc, argv);

  struct Function {
    std::string name;
    std::string path;
    double rate = 0;
    double large_rate = 0;
    double first_poll_us = 0;
  };
  std::vector<Function> functions;
  for (const std::string& program : programs) {
    const std::size_t equals = program.find('=');
    if (equals == std::string::npos) give_up("read NAME=PATH");
    functions.push_back({program.substr(0, equals), program.substr(equals + 1)});
  }
  // In turns, and the best of each: whatever else this machine does in between disturbs all alike.
  const Exchange small("{\"name\":\"Ogni\"}");
  const Exchange large('"' + std::string(kLargeEventBytes - 2, 'x') + '"');
  double bare = 0;
  double bare_large = 0;
  for (int round = 0; round < rounds; ++round) {
    bare = std::max(bare, rate_of_bare_sockets(small, invocations / rounds));
    bare_large = std::max(bare_large, rate_of_bare_sockets(large, kLargeInvocations));
    for (Function& function : functions) {
      function.rate = std::max(function.rate, rate_of(function.path, small, invocations / rounds));
      function.large_rate = std::max(function.large_rate, rate_of(function.path, large, kLargeInvocations));
    }
  }
  const double floor = start_of_empty(empty, runs);
  for (Function& function : functions) function.first_poll_us = start_to_poll(function.path, runs);

  if (json)
    std::printf("{\"bare_rate\": %.1f, \"bare_large_ms\": %.3f, \"empty_us\": %.1f, \"programs\": [", bare,
                1e3 / bare_large, floor);
  if (!json)
    std::printf("bare sockets %10.0f /s, 6 MiB %6.2f ms\nempty program %8.0f us\n", bare, 1e3 / bare_large, floor);
  for (const Function& function : functions) {
    if (json) {
      std::printf("%s{\"name\": \"%s\", \"rate\": %.1f, \"large_ms\": %.3f, \"first_poll_us\": %.1f, \"bytes\": %lld}",
                  &function == functions.data() ? "" : ", ", function.name.c_str(), function.rate,
                  1e3 / function.large_rate, function.first_poll_us, size_of(function.path));
    } else {
      std::printf("%-16s %10.0f /s  %5.2f of bare sockets; 6 MiB %6.2f ms; first poll %6.0f us; %lld bytes\n",
                  function.name.c_str(), function.rate, function.rate / bare, 1e3 / function.large_rate,
                  function.first_poll_us, size_of(function.path));
    }
  }
  if (json) std::printf("]}\n");
  return 0;
}

}  // namespace
}  // namespace ogni::benchmarks

int main(int argc, char** argv) { return ogni::benchmarks::run(argc, argv); }
