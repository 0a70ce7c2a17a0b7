// The handler is a server, started once: a web server, or a FastCGI application. Events that are HTTP requests become
// requests to it, others are posted to a path; its answers become what the event's source expects.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bootstrap/children.h"
#include "bootstrap/exchange.h"
#include "bootstrap/http_event.h"
#include "bootstrap/server_process.h"
#include "bootstrap/static_files.h"
#include "bootstrap/way.h"

namespace ogni::bootstrap {

struct ServerSettings {
  std::vector<std::string> command;  // empty: something else starts the server
  std::vector<std::string> environment;
  std::string directory;
  ServerAddress address;
  bool passes_listener = false;  // the server gets a listening socket of the address as its stdin
  std::string ready_path;        // empty: that it takes connections is enough
  std::chrono::milliseconds ready_max{9000};
  // The program is started inside an invocation, which then fails as a time-out; 0: outside, as usual.
  std::chrono::milliseconds start_limit{0};
  std::string events_path = "/events";
  bool streams = false;
  std::optional<StaticFiles> files;  // answered without the server
};

class ServerWay final : public Way {
 public:
  using MakeExchange = std::function<std::unique_ptr<Exchange>(const ServerAddress&, const ServerProcess&)>;

  ServerWay(ServerSettings settings, const MakeExchange& make)
      : settings_(std::move(settings)), exchange_(make(settings_.address, server_)) {}

  std::optional<StartFailure> start() override;
  runtime::Client::Answer serve(runtime::Client& client) override;
  void clean_up() override;
  void stop() override { server_.stop(kStopMax); }

 private:
  runtime::Client::Answer send_file(runtime::Client& client, HttpEvent::Shape shape, const HttpReply& reply) const;
  using Limit = std::chrono::milliseconds;
  std::optional<StartFailure> start_within(Limit limit);
  bool start_server();
  std::optional<StartFailure> await_ready(Limit limit);
  bool is_ready(Exchange::Clock::time_point until);
  runtime::Client::Answer buffered(runtime::Client& client, HttpEvent::Shape shape, Exchange::Outcome outcome);
  runtime::Client::Answer stream(runtime::Client& client, HttpEvent::Shape shape, Exchange::Outcome outcome);
  ErrorReport failure(Exchange::Outcome outcome, std::string_view request_id);

  ServerSettings settings_;
  Children children_{Children::Policy::kKeep};  // they are the server's
  Descriptor listener_;
  ServerProcess server_;
  std::unique_ptr<Exchange> exchange_;
};

// What the caller gets where an event that is no HTTP request was answered with a status of 400 or more.
ErrorReport status_report(const HttpReply& reply);

}  // namespace ogni::bootstrap
