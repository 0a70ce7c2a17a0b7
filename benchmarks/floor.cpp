// The least that an invocation can cost on this machine: three processes on bare sockets exchange its real messages.
//
//   caller ── Invoke ──► service ── event ──► runtime         1, 2
//   caller ◄── answer ── service ◄─ response ─ runtime        4, 3
//                        service ── 202 ─────► runtime        5
//                        service ◄── /next ─── runtime        6
//
// The service and the runtime do not parse: every message has a known length. The payload passes through all of them.
// With five messages the runtime sends its response and its next poll in one.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/load_client.h"
#include "benchmarks/sockets.h"

namespace ogni::benchmarks {
namespace {

enum class Form { kSix, kFive };

// The heads of the messages, as the real service and runtime send them.
struct Messages {
  explicit Messages(std::size_t payload)
      : payload_bytes(payload), invoke_bytes(invoke_request("floor", payload).size() + payload) {
    const std::string length = "Content-Length: " + std::to_string(payload) + "\r\n\r\n";
    event =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
        "Lambda-Runtime-Deadline-Ms: 1767225600000\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:floor\r\n"
        "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n" +
        length;
    response =
        "POST /2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response HTTP/1.1\r\n"
        "Host: 127.0.0.1:9001\r\nUser-Agent: ogni-runtime/0.1.0\r\nContent-Type: application/json\r\n" +
        length;
    answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        "x-amzn-RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\nX-Amz-Executed-Version: $LATEST\r\n"
        "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n" +
        length;
  }
  std::size_t payload_bytes;
  std::size_t invoke_bytes;
  std::string event;
  std::string response;
  std::string answer;
  std::string accepted =
      "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
  std::string next =
      "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n"
      "User-Agent: ogni-runtime/0.1.0\r\n\r\n";
};

// Receives messages of known length from one socket.
class Inbox {
 public:
  Inbox(Fd socket, std::size_t bytes_max) : socket_(std::move(socket)), buffer_(bytes_max) {}
  int socket() const { return socket_.get(); }

  // Takes what is there; false when the peer has closed.
  bool receive(std::size_t wanted, int flags) {
    const ssize_t count = ::recv(socket_.get(), buffer_.data() + size_, wanted - size_, flags);
    if (count > 0) size_ += static_cast<std::size_t>(count);
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
  }
  bool has(std::size_t wanted) const { return size_ >= wanted; }
  // The last bytes of the message of that length, which is then forgotten.
  std::string_view take(std::size_t wanted, std::size_t payload_bytes) {
    size_ = 0;
    return {buffer_.data() + wanted - payload_bytes, payload_bytes};
  }

 private:
  Fd socket_;
  std::vector<char> buffer_;
  std::size_t size_ = 0;
};

// One caller's connection, one runtime's, and what is due from each.
class Relay {
 public:
  Relay(Fd caller, Fd runtime, const Messages& messages, Form form)
      : messages_(messages),
        form_(form),
        caller_(std::move(caller), messages.invoke_bytes),
        runtime_(std::move(runtime), messages.response.size() + messages.payload_bytes + messages.next.size()) {}
  int caller() const { return caller_.socket(); }
  int runtime() const { return runtime_.socket(); }
  bool polling() const { return polling_; }

  bool caller_readable(int flags) {
    if (!caller_.receive(messages_.invoke_bytes, flags)) return false;
    return hand_over();
  }

  bool runtime_readable(int flags) {
    const std::size_t payload = messages_.payload_bytes;
    const std::size_t response = messages_.response.size() + payload;
    const std::size_t both = response + messages_.next.size();
    const std::size_t wanted = !responding_ ? messages_.next.size() : form_ == Form::kFive ? both : response;
    if (!runtime_.receive(wanted, flags)) return false;
    if (!runtime_.has(wanted)) return true;
    if (!responding_) {
      runtime_.take(wanted, 0);
      polling_ = true;
      return hand_over();
    }
    const std::string_view tail = runtime_.take(wanted, wanted - messages_.response.size());
    responding_ = false;
    polling_ = form_ == Form::kFive;
    return send_parts(caller(), messages_.answer, tail.substr(0, payload)) &&
           send_parts(runtime(), messages_.accepted, {});
  }

 private:
  bool hand_over() {
    if (!polling_ || !caller_.has(messages_.invoke_bytes)) return true;
    polling_ = false;
    responding_ = true;
    return send_parts(runtime(), messages_.event, caller_.take(messages_.invoke_bytes, messages_.payload_bytes));
  }

  const Messages& messages_;
  Form form_;
  Inbox caller_;
  Inbox runtime_;
  bool polling_ = false;
  bool responding_ = false;
};

// The function: answers with what it gets.
class Echo {
 public:
  Echo(Fd service, const Messages& messages, Form form)
      : messages_(messages),
        form_(form),
        service_(std::move(service), messages.event.size() + messages.payload_bytes + messages.accepted.size()) {
    send_parts(socket(), messages_.next, {});
  }
  int socket() const { return service_.socket(); }

  bool readable(int flags) {
    const std::size_t event = messages_.event.size() + messages_.payload_bytes;
    const std::size_t wanted = answered_ ? messages_.accepted.size() : event;
    if (!service_.receive(wanted, flags)) return false;
    if (!service_.has(wanted)) return true;
    const std::string_view payload = service_.take(wanted, answered_ ? 0 : messages_.payload_bytes);
    if (answered_) {
      answered_ = false;
      return form_ == Form::kFive || send_parts(socket(), messages_.next, {});
    }
    answered_ = true;
    if (form_ == Form::kSix) return send_parts(socket(), messages_.response, payload);
    tail_.assign(payload).append(messages_.next);
    return send_parts(socket(), messages_.response, tail_);
  }

 private:
  const Messages& messages_;
  Form form_;
  Inbox service_;
  std::string tail_;
  bool answered_ = false;
};

// Calls back for each readable socket until a callback says that a peer has gone.
class Loop {
 public:
  void add(int socket, std::function<bool()> readable) {
    callbacks_.push_back(std::make_unique<std::function<bool()>>(std::move(readable)));
    epoll_event event = {.events = EPOLLIN, .data = {.ptr = callbacks_.back().get()}};
    if (::epoll_ctl(events_.get(), EPOLL_CTL_ADD, socket, &event) != 0) give_up("epoll_ctl");
  }
  void run() {
    epoll_event ready[64];
    while (true) {
      const int count = ::epoll_wait(events_.get(), ready, 64, -1);
      for (int i = 0; i < count; ++i) {
        if (!(*static_cast<std::function<bool()>*>(ready[i].data.ptr))()) return;
      }
    }
  }

 private:
  Fd events_{::epoll_create1(EPOLL_CLOEXEC)};
  std::vector<std::unique_ptr<std::function<bool()>>> callbacks_;
};

void run_service(const Fd& callers, const Fd& runtimes, std::size_t connections, const Messages& messages, Form form) {
  std::vector<std::unique_ptr<Relay>> relays;
  for (std::size_t i = 0; i < connections; ++i) {
    Fd runtime = accept_on(runtimes);
    relays.push_back(std::make_unique<Relay>(accept_on(callers), std::move(runtime), messages, form));
  }
  if (connections == 1) {
    Relay& relay = *relays[0];
    while (relay.polling() ? relay.caller_readable(0) : relay.runtime_readable(0)) {
    }
    return;
  }
  Loop loop;
  for (auto& relay : relays) {
    loop.add(relay->caller(), [&relay = *relay] { return relay.caller_readable(MSG_DONTWAIT); });
    loop.add(relay->runtime(), [&relay = *relay] { return relay.runtime_readable(MSG_DONTWAIT); });
  }
  loop.run();
}

void run_runtime(std::uint16_t port, std::size_t connections, const Messages& messages, Form form) {
  std::vector<std::unique_ptr<Echo>> echoes;
  for (std::size_t i = 0; i < connections; ++i) {
    echoes.push_back(std::make_unique<Echo>(connect_to_loopback(port), messages, form));
  }
  if (connections == 1) {
    while (echoes[0]->readable(0)) {
    }
    return;
  }
  Loop loop;
  for (auto& echo : echoes) loop.add(echo->socket(), [&echo = *echo] { return echo.readable(MSG_DONTWAIT); });
  loop.run();
}

pid_t start(const std::function<void()>& body) {
  const pid_t process = ::fork();
  if (process < 0) give_up("fork");
  if (process > 0) return process;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  body();
  ::_exit(0);
}

LoadResult measure(Load load, Form form) {
  const Messages messages(payload_of(load.payload_bytes).size());
  std::uint16_t runtime_port = 0;
  Fd callers = listen_on_loopback(load.port);
  Fd runtimes = listen_on_loopback(runtime_port);
  load.function = "floor";
  const pid_t service = start([&] { run_service(callers, runtimes, load.connections, messages, form); });
  callers = Fd();
  runtimes = Fd();
  const pid_t runtime = start([&] { run_runtime(runtime_port, load.connections, messages, form); });
  LoadResult result = run_load(load);
  // The caller's connections are closed now, so the service ends, and then the runtime.
  ::waitpid(service, nullptr, 0);
  ::waitpid(runtime, nullptr, 0);
  return result;
}

}  // namespace
}  // namespace ogni::benchmarks

int main(int argc, char** argv) {
  using namespace ogni::benchmarks;
  CLI::App app(
      "The floor: an invocation's messages on bare sockets, at 1 and 64 connections.\n"
      "Example: taskset -c 0 floor --requests 50000");
  std::size_t requests = 20'000;
  std::size_t large_bytes = 1024 * 1024;
  bool json = false;
  app.add_option("--requests", requests, "Requests of each small measurement")->check(CLI::Range(10, 100'000'000));
  app.add_option("--large-bytes", large_bytes, "Payload of the large measurement")->check(CLI::Range(2, 6'291'456));
  app.add_flag("--json", json, "A JSON array");
  CLI11_PARSE(app, argc, argv);

  struct Row {
    const char* name;
    Form form;
    Load load;
  };
  const std::size_t large_requests = std::max<std::size_t>(10, requests / 50);
  const Row rows[] = {
      {"six messages", Form::kSix, {.connections = 1, .requests = requests}},
      {"five messages", Form::kFive, {.connections = 1, .requests = requests}},
      {"six messages", Form::kSix, {.connections = 64, .requests = requests}},
      {"five messages", Form::kFive, {.connections = 64, .requests = requests}},
      {"six messages", Form::kSix, {.connections = 1, .requests = large_requests, .payload_bytes = large_bytes}},
  };
  std::size_t failures = 0;
  std::string separator = "[";
  for (const Row& row : rows) {
    const LoadResult result = measure(row.load, row.form);
    const std::string line = describe(row.name, row.load, result, json ? Format::kJson : Format::kText);
    std::printf("%s%s\n", json ? separator.c_str() : "", line.c_str());
    separator = ",";
    failures += result.failures;
  }
  if (json) std::puts("]");
  return failures == 0 ? 0 : 1;
}
