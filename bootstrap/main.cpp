// The any-language bootstrap: speaks the Runtime API and lets a worker process call the handler.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "bootstrap/choice.h"
#include "bootstrap/report.h"
#include "bootstrap/worker.h"
#include "protocol/runtime_api.h"
#include "runtime/client.h"

namespace ogni::bootstrap {
namespace {

using runtime::Client;
using runtime::Invocation;

std::string_view make_frame(const Invocation& invocation, FrameWriter& writer) {
  char digits[24];
  const char* end = std::to_chars(digits, digits + sizeof digits, invocation.deadline_ms).ptr;
  writer.clear();
  writer.field("request_id", invocation.request_id);
  writer.field("deadline_ms", {digits, static_cast<std::size_t>(end - digits)});
  writer.field("invoked_function_arn", invocation.invoked_function_arn);
  writer.field("trace_id", invocation.trace_id);
  writer.field("client_context", invocation.client_context);
  writer.field("cognito_identity", invocation.cognito_identity);
  writer.field("tenant_id", invocation.tenant_id);
  writer.field("content_type", invocation.content_type);
  return writer.finish("invoke", invocation.event.size());
}

// Keeps a worker and replaces one that has died.
class Workers {
 public:
  Workers(WorkerCommand command, std::vector<std::string> environment)
      : command_(std::move(command)), environment_(std::move(environment)) {}

  // Starts a worker and waits until it has loaded the handler. False: `failure` says why, and worker() may be null.
  bool start(ErrorReport& failure) {
    worker_ = Worker::start(command_, environment_);
    if (!worker_) {
      failure = plain_report("Runtime.InvalidEntrypoint", "cannot start " + command_.arguments.front());
      return false;
    }
    const Worker::Outcome outcome = worker_->await_first();
    if (outcome == Worker::Outcome::kReply && worker_->reply().kind() == "ready") return true;
    failure = outcome == Worker::Outcome::kDied         ? exit_report(worker_->death(), "")
              : worker_->reply().kind() == "init-error" ? report_of(worker_->reply())
                                                        : protocol_report();
    died_by_itself_ = outcome == Worker::Outcome::kDied;
    return false;
  }
  Worker* worker() const { return worker_.get(); }
  bool died_by_itself() const { return died_by_itself_; }
  void drop() { worker_.reset(); }

 private:
  WorkerCommand command_;
  std::vector<std::string> environment_;
  std::unique_ptr<Worker> worker_;
  bool died_by_itself_ = false;
};

Client::Answer answer(Client& client, const FrameReader& reply) {
  if (reply.kind() == "result") {
    const std::string_view type = reply.field("content_type");
    return client.respond(reply.body(), type.empty() ? "application/json" : type);
  }
  const ErrorReport report = reply.kind() == "error" ? report_of(reply) : protocol_report();
  return client.fail(report.type, report.json());
}

Client::Answer serve(Client& client, Workers& workers, FrameWriter& writer) {
  const Invocation& invocation = client.invocation();
  const std::string_view frame = make_frame(invocation, writer);
  // A worker found dead before the event reached it has cost nothing yet: a second one gets the event.
  for (int attempt = 0; attempt < 2; ++attempt) {
    ErrorReport failure;
    if (workers.worker() == nullptr && !workers.start(failure)) {
      workers.drop();
      return client.fail(failure.type, failure.json());
    }
    Worker& worker = *workers.worker();
    const Worker::Outcome outcome = worker.exchange(frame, invocation.event);
    if (outcome == Worker::Outcome::kReply) {
      const bool spoke_protocol = worker.reply().kind() == "result" || worker.reply().kind() == "error";
      const Client::Answer answered = answer(client, worker.reply());
      if (!spoke_protocol) workers.drop();
      return answered;
    }
    const bool delivered = worker.delivered();
    const ErrorReport report =
        outcome == Worker::Outcome::kDied ? exit_report(worker.death(), invocation.request_id) : protocol_report();
    workers.drop();
    if (delivered) {
      std::fprintf(stderr, "%s\n", report.message.c_str());
      return client.fail(report.type, report.json());
    }
  }
  const ErrorReport report = exit_report("", invocation.request_id);
  return client.fail(report.type, report.json());
}

// The platform words what a runtime's own end was, so the worker's end becomes this program's.
[[noreturn]] void end_like(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    ::signal(WTERMSIG(wait_status), SIG_DFL);
    ::raise(WTERMSIG(wait_status));
  }
  std::exit(WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 1);
}

int run() {
  ::signal(SIGPIPE, SIG_IGN);
  const char* api = std::getenv(protocol::variable::kRuntimeApi);
  auto endpoint = runtime::parse_endpoint(api == nullptr ? "" : api);
  if (!endpoint) {
    std::fputs("ogni: AWS_LAMBDA_RUNTIME_API is not an address; this program is started by AWS Lambda or Ogni\n",
               stderr);
    return 1;
  }
  Client client(std::move(*endpoint), "ogni-bootstrap/" OGNI_VERSION);
  Choice choice = choose_worker();
  if (std::getenv("OGNI_DEBUG") != nullptr) std::fprintf(stderr, "ogni: %s\n", choice.reason.c_str());
  if (choice.command.arguments.empty()) {
    const ErrorReport report = plain_report("Runtime.InvalidEntrypoint", choice.reason);
    std::fprintf(stderr, "ogni: %s\n", choice.reason.c_str());
    static_cast<void>(client.init_error(report.type, report.json()));
    return 1;
  }

  Workers workers(std::move(choice.command), worker_environment());
  if (ErrorReport failure; !workers.start(failure)) {
    if (workers.died_by_itself()) end_like(workers.worker()->wait_status());
    static_cast<void>(client.init_error(failure.type, failure.json()));
    return 1;
  }
  FrameWriter writer;
  while (client.next()) {
    if (serve(client, workers, writer) == Client::Answer::kFatal) break;
  }
  return 1;
}

}  // namespace
}  // namespace ogni::bootstrap

int main() { return ogni::bootstrap::run(); }
