// The handler is a web server, started once. Events that are HTTP requests become requests to it, others are posted to
// a path; its answers become what the event's source expects.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "bootstrap/http_event.h"
#include "bootstrap/http_exchange.h"
#include "bootstrap/server_process.h"
#include "bootstrap/way.h"

namespace ogni::bootstrap {

struct HttpSettings {
  std::vector<std::string> command;  // empty: something else starts the server
  std::string directory;
  ServerAddress address;
  std::string ready_path;  // empty: that it takes connections is enough
  std::chrono::milliseconds ready_max{9000};
  std::string events_path = "/events";
  bool streams = false;
};

class HttpWay final : public Way {
 public:
  HttpWay(HttpSettings settings, std::vector<std::string> environment)
      : settings_(std::move(settings)), environment_(std::move(environment)), exchange_(settings_.address, server_) {}

  std::optional<StartFailure> start() override;
  runtime::Client::Answer serve(runtime::Client& client) override;

 private:
  std::optional<StartFailure> await_ready();
  bool is_ready(HttpExchange::Clock::time_point until);
  runtime::Client::Answer buffered(runtime::Client& client, HttpEvent::Shape shape, HttpExchange::Outcome outcome);
  runtime::Client::Answer stream(runtime::Client& client, HttpEvent::Shape shape, HttpExchange::Outcome outcome);
  ErrorReport failure(HttpExchange::Outcome outcome, std::string_view request_id);

  HttpSettings settings_;
  std::vector<std::string> environment_;
  ServerProcess server_;
  HttpExchange exchange_;
};

// What the caller gets where an event that is no HTTP request was answered with a status of 400 or more.
ErrorReport status_report(const HttpReply& reply);

}  // namespace ogni::bootstrap
