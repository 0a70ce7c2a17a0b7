#include "bootstrap/worker_way.h"

#include <sys/wait.h>

#include <charconv>
#include <cstdio>

#include "bootstrap/exec_wrapper.h"
#include "bootstrap/spawn.h"

namespace ogni::bootstrap {

using runtime::Client;
using runtime::Invocation;

namespace {

constexpr int kAttemptsMax = 2;

}  // namespace

// A reply need not say which invocation it answers, unless the worker has said that all of its replies do: then what a
// process of an earlier invocation writes in its place is none.
bool WorkerWay::belongs_to(const FrameReader& reply, std::string_view request_id) const {
  const std::string_view said = reply.field("request_id");
  return said == request_id || (said.empty() && !names_requests_);
}

// As many as shall wait; and one to work where that is still to load the handler.
void WorkerWay::fill() {
  const std::size_t wanted = settings_.prefork + (origin_ || worker_ ? 0 : 1);
  while (waiting_.size() < wanted) {
    auto worker = origin_ ? origin_->fork() : Worker::start(settings_.command, settings_.environment);
    if (!worker) break;
    waiting_.push_back(std::move(worker));
  }
}

bool WorkerWay::take_waiting() {
  // One that was forked is ready, so that it can be told whether it is still there.
  while (origin_ && !waiting_.empty() && !waiting_.front()->waits()) waiting_.pop_front();
  if (waiting_.empty()) return false;
  worker_ = std::move(waiting_.front());
  waiting_.pop_front();
  return true;
}

// The worker becomes the origin of others. One that cannot fork after all stays what it is.
void WorkerWay::begin_forking() {
  origin_ = std::move(worker_);
  fill();
  if (take_waiting()) return;
  forks_ = false;
  worker_ = std::move(origin_);
}

std::optional<StartFailure> WorkerWay::start() {
  shell_.reset();
  if (!settings_.wrapper.empty()) {
    if (const int status = wrapper_status(settings_.wrapper)) return StartFailure{{}, W_EXITCODE(status, 0)};
  }
  if (origin_) {
    fill();
    if (take_waiting()) return std::nullopt;
    origin_.reset();
  }
  if (!take_waiting()) worker_ = Worker::start(settings_.command, settings_.environment);
  if (!worker_) {
    if (!settings_.wrapper.empty()) return StartFailure{{}, W_EXITCODE(126, 0)};
    const std::string& program = settings_.command.arguments.front();
    return StartFailure{plain_report("Runtime.InvalidEntrypoint", "cannot start " + program), {}};
  }
  const Worker::Outcome outcome = worker_->await_first();
  if (outcome == Worker::Outcome::kReply && worker_->reply().kind() == "ready") {
    if (worker_->reply().field("form") == "bash" && worker_->memory().size() >= 2) {
      shell_.emplace(worker_->process(), worker_->memory());
    }
    takes_nul_bytes_ = worker_->reply().field("nul_bytes") != "no";
    wants_line_feed_ = worker_->reply().field("line_feed") == "yes";
    names_requests_ = worker_->reply().field("names_requests") == "yes";
    children_.spare_below(worker_->process());
    forks_ = forks_ && worker_->reply().field("forks") == "yes";
    if (settings_.prefork == 0) return std::nullopt;
    if (forks_) begin_forking();
    if (settings_.explains) {
      std::fputs(forks_ ? "ogni: the worker forks for each invocation\n" : "ogni: the worker does not fork\n", stderr);
    }
    fill();
    return std::nullopt;
  }
  StartFailure failure;
  if (outcome == Worker::Outcome::kDied) {
    failure = {exit_report(worker_->death(), ""), worker_->wait_status()};
  } else {
    failure.report = worker_->reply().kind() == "init-error" ? report_of(worker_->reply()) : protocol_report();
  }
  worker_.reset();
  return failure;
}

std::string_view WorkerWay::make_frame(const Invocation& invocation) {
  char digits[24];
  const char* end = std::to_chars(digits, digits + sizeof digits, invocation.deadline_ms).ptr;
  writer_.clear();
  writer_.field("request_id", invocation.request_id);
  writer_.field("deadline_ms", {digits, static_cast<std::size_t>(end - digits)});
  writer_.field("invoked_function_arn", invocation.invoked_function_arn);
  writer_.field("trace_id", invocation.trace_id);
  writer_.field("client_context", invocation.client_context);
  writer_.field("cognito_identity", invocation.cognito_identity);
  writer_.field("tenant_id", invocation.tenant_id);
  writer_.field("content_type", invocation.content_type);
  return writer_.finish("invoke", invocation.event.size());
}

// Nothing: there is no file that it could be in.
std::optional<std::string_view> WorkerWay::body_of(const FrameReader& reply) {
  if (reply.kind() != "printed") return reply.body();
  return shell_ ? shell_->printed() : std::nullopt;
}

Client::Answer WorkerWay::answer(Client& client) {
  const FrameReader& reply = worker_->reply();
  const auto body = body_of(reply);
  if (!body || !belongs_to(reply, client.invocation().request_id)) {
    const ErrorReport report = failure(Worker::Outcome::kMalformed, client.invocation().request_id);
    return fail(client, report);
  }
  if (reply.kind() == "result" || reply.kind() == "printed") {
    const std::string_view type = reply.field("content_type");
    return client.respond(*body, type.empty() ? "application/json" : type);
  }
  if (reply.kind() == "stream") return stream(client);
  const bool spoke_protocol = reply.kind() == "error";
  ErrorReport report = spoke_protocol ? report_of(reply) : protocol_report();
  if (spoke_protocol && reply.field("stderr") == "yes") add_errors(report, worker_->errors());
  const Client::Answer answered = fail(client, report);
  if (!spoke_protocol || reply.field("ends") == "yes") worker_.reset();
  return answered;
}

// When the platform takes no more, the rest is read and dropped: the worker is then where it can be used again.
Client::Answer WorkerWay::stream(Client& client) {
  const std::string request_id(client.invocation().request_id);
  if (client.stream_begin(worker_->reply().field("content_type")) == Client::Answer::kFatal) {
    return Client::Answer::kFatal;
  }
  bool is_taken = client.stream_write(worker_->reply().body());
  while (true) {
    const Worker::Outcome outcome = worker_->await_next();
    const FrameReader& reply = worker_->reply();
    const auto body = outcome == Worker::Outcome::kReply ? body_of(reply) : std::nullopt;
    const bool is_reply = body && belongs_to(reply, request_id);
    const std::string_view kind = is_reply ? reply.kind() : std::string_view();
    if (kind == "chunk" || kind == "end" || kind == "printed") {
      is_taken = is_taken && client.stream_write(*body);
      if (kind == "chunk") continue;
      return client.stream_end();
    }
    const bool ends = kind == "error" && reply.field("ends") == "yes";
    ErrorReport report = kind == "error" ? report_of(reply) : failure(outcome, request_id);
    if (kind == "error" && reply.field("stderr") == "yes") add_errors(report, worker_->errors());
    if (ends) worker_.reset();
    return fail_stream(client, report);
  }
}

// Of a worker that is of no more use.
ErrorReport WorkerWay::failure(Worker::Outcome outcome, std::string_view request_id) {
  const auto last_words = settings_.command.last_words;
  ErrorReport report;
  if (outcome != Worker::Outcome::kDied) {
    report = protocol_report();
  } else if (last_words == nullptr || !last_words(worker_->errors(), worker_->wait_status(), report)) {
    report = exit_report(worker_->death(), request_id);
  }
  worker_.reset();
  log_failure(report, request_id);
  return report;
}

void WorkerWay::clean_up() {
  if (settings_.prefork > 0) {
    worker_.reset();
    fill();
  }
  std::vector<pid_t> own;
  if (worker_) own.push_back(worker_->process());
  if (origin_) own.push_back(origin_->process());
  std::vector<pid_t> waiting;
  for (const auto& worker : waiting_) waiting.push_back(worker->process());
  own.insert(own.end(), waiting.begin(), waiting.end());
  children_.clean(own, waiting);
}

bool WorkerWay::exchange(const Invocation& invocation, Worker::Outcome& outcome) {
  if (shell_) {
    if (!shell_->prepare(invocation)) return false;
    outcome = worker_->exchange(shell_->request(), {});
  } else if (wants_line_feed_) {
    outcome = worker_->exchange(make_frame(invocation), std::string(invocation.event) + '\n');
  } else {
    outcome = worker_->exchange(make_frame(invocation), invocation.event);
  }
  return true;
}

Client::Answer WorkerWay::serve(Client& client) {
  const Invocation& invocation = client.invocation();
  // A worker found dead before the event reached it has cost nothing yet: a second one gets the event.
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (!worker_) {
      if (const auto failed = start()) {
        const ErrorReport report = failed->wait_status
                                       ? exit_report(describe_end(*failed->wait_status), invocation.request_id)
                                       : failed->report;
        return fail(client, report);
      }
    }
    if (!takes_nul_bytes_ && invocation.event.find('\0') != std::string_view::npos) {
      const auto report =
          plain_report("Runtime.UnmarshalError", "the event holds NUL bytes, which this language cannot");
      return fail(client, report);
    }
    Worker::Outcome outcome = Worker::Outcome::kDied;
    const bool is_asked = exchange(invocation, outcome);
    if (is_asked && outcome == Worker::Outcome::kReply) return answer(client);
    const bool is_last = attempt + 1 == kAttemptsMax;
    if (is_asked && (worker_->delivered() || is_last)) {
      const ErrorReport report = failure(outcome, invocation.request_id);
      return fail(client, report);
    }
    worker_.reset();
  }
  const ErrorReport report = exit_report("", invocation.request_id);
  return fail(client, report);
}

}  // namespace ogni::bootstrap
