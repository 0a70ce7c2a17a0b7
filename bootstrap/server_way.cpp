#include "bootstrap/server_way.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "bootstrap/spawn.h"

namespace ogni::bootstrap {
namespace {

using runtime::Client;
using Outcome = Exchange::Outcome;
using Shape = HttpEvent::Shape;

// How often a server that is not ready is asked again.
constexpr std::chrono::milliseconds kProbeInterval{5};
// What is left of a function's time to say that the server is not ready, before the platform says "timed out".
constexpr std::chrono::milliseconds kTimeToTell{500};
constexpr std::size_t kMessageBytesMax = 1024;

bool is_answer(Outcome outcome) { return outcome <= Outcome::kDone; }

std::string_view content_type(const HttpReply& reply) {
  for (const HttpField& field : reply.fields) {
    if (runtime::equals_ignoring_case(field.name, "content-type")) return field.value;
  }
  return "application/octet-stream";
}

// How long a server may take that is started in the time of an invocation, of which `left` is left.
std::chrono::milliseconds ready_within(std::chrono::milliseconds left) {
  return std::max(left - std::min(kTimeToTell, left / 2), std::chrono::milliseconds(1));
}

// Until a deadline in Unix time; 0: none was told.
std::chrono::milliseconds time_left(std::int64_t deadline_ms) {
  if (deadline_ms == 0) return std::chrono::minutes(15);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::milliseconds(deadline_ms) - std::chrono::duration_cast<std::chrono::milliseconds>(now);
}

// "2.5 s"
std::string in_seconds(std::chrono::milliseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g s", static_cast<double>(time.count()) / 1000);
  return text.data();
}

}  // namespace

ErrorReport status_report(const HttpReply& reply) {
  const std::string status = std::to_string(reply.status);
  ErrorReport report = plain_report("HttpStatus" + status, "the server answered with status " + status);
  if (!reply.body.empty()) report.message += ": " + std::string(reply.body.substr(0, kMessageBytesMax));
  return report;
}

std::optional<StartFailure> ServerWay::start() {
  const bool is_within_invocation = settings_.start_limit > Limit(0);
  return start_within(is_within_invocation ? ready_within(settings_.start_limit) : settings_.ready_max);
}

std::optional<StartFailure> ServerWay::start_within(Limit limit) {
  limit = std::min(limit, settings_.ready_max);
  exchange_->close();
  if (!settings_.command.empty() && !start_server()) {
    return StartFailure{plain_report("Runtime.InvalidEntrypoint",
                                     "cannot start " + settings_.command.front() + ": " + std::strerror(errno)),
                        {}};
  }
  return await_ready(limit);
}

bool ServerWay::start_server() {
  if (settings_.passes_listener && !listener_) listener_ = listen_on(settings_.address);
  if (settings_.passes_listener && !listener_) return false;
  return server_.start(settings_.command, settings_.environment, settings_.directory, listener_.get());
}

std::optional<StartFailure> ServerWay::await_ready(Limit limit) {
  const auto until = Exchange::Clock::now() + limit;
  while (!is_ready(until)) {
    const auto next = std::min(until, Exchange::Clock::now() + kProbeInterval);
    if (server_.wait(-1, 0, next) == ServerProcess::Event::kEnded) {
      const int status = server_.take_wait_status();
      ErrorReport report = exit_report(describe_end(status), "");
      if (status == 0) {
        report = plain_report("Runtime.ServerNotReady", "the command " + settings_.command.front() +
                                                            " has ended; a server must stay in the foreground");
        return StartFailure{report, {}};
      }
      return StartFailure{report, status};
    }
    if (Exchange::Clock::now() < until) continue;
    std::string message = settings_.ready_path.empty()
                              ? "nothing listens on " + settings_.address.text
                              : "the server is not ready at " + settings_.address.text + settings_.ready_path;
    message += " after " + in_seconds(limit);
    if (!exchange_->problem().empty()) message += ": " + exchange_->problem();
    server_.end();
    return StartFailure{plain_report("Runtime.ServerNotReady", std::move(message)), {}};
  }
  return std::nullopt;
}

bool ServerWay::is_ready(Exchange::Clock::time_point until) {
  if (settings_.ready_path.empty()) return static_cast<bool>(connect_to(settings_.address, server_, until));
  HttpRequest request;
  request.method = "GET";
  request.path = settings_.ready_path;
  request.fields = {{"host", "localhost"}};
  Outcome outcome = exchange_->begin(request, until);
  while (outcome == Outcome::kHead || outcome == Outcome::kBody) {
    outcome = exchange_->more(Exchange::Taken::kForget, until);
  }
  return outcome == Outcome::kDone && exchange_->reply().status < 500;
}

Client::Answer ServerWay::serve(Client& client) {
  const HttpEvent event = read_http_event(client.invocation(), settings_.events_path);
  std::string content;
  if (settings_.files && event.shape != Shape::kOther) {
    if (const auto reply = settings_.files->find(event.request, content)) return send_file(client, event.shape, *reply);
  }
  Outcome outcome = Outcome::kEnded;
  // A server found dead before the event reached it has cost nothing yet: a second one gets the event.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!settings_.command.empty() && !server_.is_running()) {
      std::fprintf(stderr, "ogni: the server has ended and is started again\n");
      if (const auto failed = start_within(ready_within(time_left(client.invocation().deadline_ms)))) {
        const ErrorReport report = failed->wait_status
                                       ? exit_report(describe_end(*failed->wait_status), client.invocation().request_id)
                                       : failed->report;
        return fail(client, report);
      }
    }
    outcome = exchange_->begin(event.request);
    if (outcome != Outcome::kEnded || exchange_->is_delivered()) break;
  }
  if (!is_answer(outcome)) {
    const ErrorReport report = failure(outcome, client.invocation().request_id);
    return fail(client, report);
  }
  const bool is_error = event.shape == Shape::kOther && exchange_->reply().status >= 400;
  return settings_.streams && !is_error ? stream(client, event.shape, outcome) : buffered(client, event.shape, outcome);
}

Client::Answer ServerWay::send_file(Client& client, Shape shape, const HttpReply& reply) const {
  if (!settings_.streams) return client.respond(reply_json(shape, reply), "application/json");
  const Client::Answer begun = client.stream_begin_http(reply_prelude(reply));
  if (begun == Client::Answer::kFatal) return begun;
  (void)client.stream_write(reply.body);  // whether the service took it, stream_end says
  return client.stream_end();
}

void ServerWay::clean_up() {
  const pid_t own[] = {server_.process()};
  children_.clean(own);
}

Client::Answer ServerWay::buffered(Client& client, Shape shape, Outcome outcome) {
  while (outcome != Outcome::kDone && is_answer(outcome)) outcome = exchange_->more(Exchange::Taken::kKeep);
  const HttpReply reply = exchange_->reply();
  ErrorReport report;
  if (outcome != Outcome::kDone) {
    report = failure(outcome, client.invocation().request_id);
  } else if (shape != Shape::kOther) {
    return client.respond(reply_json(shape, reply), "application/json");
  } else if (reply.status < 400) {
    return client.respond(reply.body, content_type(reply));
  } else {
    report = status_report(reply);
  }
  return fail(client, report);
}

Client::Answer ServerWay::stream(Client& client, Shape shape, Outcome outcome) {
  const HttpReply reply = exchange_->reply();
  const Client::Answer begun = shape == Shape::kOther ? client.stream_begin(content_type(reply))
                                                      : client.stream_begin_http(reply_prelude(reply));
  if (begun == Client::Answer::kFatal) return begun;
  bool is_taken = true;
  while (true) {
    if (is_answer(outcome)) is_taken = client.stream_write(exchange_->body());
    if (outcome == Outcome::kDone) return client.stream_end();
    if (!is_taken) {
      exchange_->close();  // the server stops, too
      return client.stream_end();
    }
    if (!is_answer(outcome)) break;
    outcome = exchange_->more(Exchange::Taken::kForget);
  }
  const ErrorReport report = failure(outcome, client.invocation().request_id);
  return fail_stream(client, report);
}

ErrorReport ServerWay::failure(Outcome outcome, std::string_view request_id) {
  exchange_->close();
  ErrorReport report = outcome == Outcome::kEnded ? exit_report(describe_end(server_.take_wait_status()), request_id)
                                                  : plain_report("Runtime.ServerError", exchange_->problem());
  log_failure(report, request_id);
  return report;
}

}  // namespace ogni::bootstrap
