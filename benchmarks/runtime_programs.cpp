// Functions as programs against a minimal Runtime API server in this process: how long from their start to the first poll,
// beside an empty program from start to end; how many invocations a second, beside the same exchange on bare sockets.
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
    "Host: 127.0.0.1:9001\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n";
constexpr std::string_view kEvent = "{\"name\":\"Ogni\"}";
constexpr std::string_view kEventHead =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
    "Lambda-Runtime-Deadline-Ms: 1767225600000\r\n"
    "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n"
    "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n"
    "Content-Length: 15\r\n\r\n";

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

// One request, however its bytes come: a poll ends with its head, an answer with the event. False when the peer has closed.
bool read_request(int socket, char& method) {
  static constexpr std::string_view kAnswerEnd = "\r\n\r\n{\"name\":\"Ogni\"}";
  char buffer[16384];
  std::size_t size = 0;
  while (size < sizeof buffer) {
    const ssize_t count = ::recv(socket, buffer + size, sizeof buffer - size, 0);
    if (count <= 0) return false;
    size += static_cast<std::size_t>(count);
    method = buffer[0];
    if (std::string_view(buffer, size).ends_with(method == 'G' ? "\r\n\r\n" : kAnswerEnd)) return true;
  }
  return false;
}

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
    char method = 0;
    if (!read_request(connection.get(), method) || method != 'G') give_up("a first poll");
    times.push_back(microseconds(Clock::now() - began));
    end(process);
  }
  return median(std::move(times));
}

// Invocations a second of whoever polls on this connection.
double serve(int connection, int invocations) {
  char method = 0;
  Clock::time_point began;
  const int warm_up = invocations / 10;
  for (int done = 0; done < invocations + warm_up;) {
    if (!read_request(connection, method)) give_up("a request");
    if (method == 'G') {
      if (done == warm_up) began = Clock::now();
      send_parts(connection, kEventHead, kEvent);
    } else {
      send_parts(connection, kAccepted, {});
      ++done;
    }
  }
  return invocations / (microseconds(Clock::now() - began) / 1e6);
}

double rate_of(const std::string& program, int invocations) {
  std::uint16_t port = 0;
  const Fd listener = listen_on_loopback(port);
  const pid_t process = start(program, port);
  const Fd connection = accept_on(listener);
  const double rate = serve(connection.get(), invocations);
  end(process);
  return rate;
}

[[noreturn]] void poll_on_bare_sockets(std::uint16_t port) {
  const Fd socket = connect_to_loopback(port);
  std::vector<char> buffer(65536);
  const auto receive = [&](std::size_t bytes) {
    for (std::size_t got = 0; got < bytes;) {
      const ssize_t count = ::recv(socket.get(), buffer.data(), bytes - got, 0);
      if (count <= 0) ::_exit(0);
      got += static_cast<std::size_t>(count);
    }
  };
  while (true) {
    send_parts(socket.get(), kNext, {});
    receive(kEventHead.size() + kEvent.size());
    send_parts(socket.get(), kResponse, kEvent);
    receive(kAccepted.size());
  }
}

double rate_of_bare_sockets(int invocations) {
  std::uint16_t port = 0;
  const Fd listener = listen_on_loopback(port);
  const pid_t process = ::fork();
  if (process < 0) give_up("fork");
  if (process == 0) poll_on_bare_sockets(port);
  const Fd connection = accept_on(listener);
  const double rate = serve(connection.get(), invocations);
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
    double first_poll_us = 0;
  };
  std::vector<Function> functions;
  for (const std::string& program : programs) {
    const std::size_t equals = program.find('=');
    if (equals == std::string::npos) give_up("read NAME=PATH");
    functions.push_back({program.substr(0, equals), program.substr(equals + 1)});
  }
  // In turns, and the best of each: whatever else this machine does in between disturbs all alike.
  double bare = 0;
  for (int round = 0; round < rounds; ++round) {
    bare = std::max(bare, rate_of_bare_sockets(invocations / rounds));
    for (Function& function : functions) {
      function.rate = std::max(function.rate, rate_of(function.path, invocations / rounds));
    }
  }
  const double floor = start_of_empty(empty, runs);
  for (Function& function : functions) function.first_poll_us = start_to_poll(function.path, runs);

  if (json) std::printf("{\"bare_rate\": %.1f, \"empty_us\": %.1f, \"programs\": [", bare, floor);
  if (!json) std::printf("bare sockets %10.0f /s\nempty program %8.0f us\n", bare, floor);
  for (const Function& function : functions) {
    if (json) {
      std::printf("%s{\"name\": \"%s\", \"rate\": %.1f, \"first_poll_us\": %.1f, \"bytes\": %lld}",
                  &function == functions.data() ? "" : ", ", function.name.c_str(), function.rate,
                  function.first_poll_us, size_of(function.path));
    } else {
      std::printf("%-16s %10.0f /s  %5.2f of bare sockets; first poll %6.0f us; %lld bytes\n", function.name.c_str(),
                  function.rate, function.rate / bare, function.first_poll_us, size_of(function.path));
    }
  }
  if (json) std::printf("]}\n");
  return 0;
}

}  // namespace
}  // namespace ogni::benchmarks

int main(int argc, char** argv) { return ogni::benchmarks::run(argc, argv); }
