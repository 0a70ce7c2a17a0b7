// From the author's main() to pollers, and back when the platform ends it.
#include "ogni/runtime.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>

#include "protocol/runtime_api.h"
#include "runtime/failure.h"
#include "runtime/poller.h"
#include "runtime/report.h"
#include "runtime/sigterm.h"

namespace ogni {
namespace {

using runtime::Client;
using runtime::Poller;
using runtime::SetsTraceVariable;

namespace variable = protocol::variable;

constexpr std::string_view kUserAgent = "ogni-runtime/" OGNI_VERSION;
constexpr int kExitFailed = 1;
// As AWS's own runtimes exit.
constexpr int kExitBeforeSnapshot = 64;
constexpr int kExitAfterRestore = 65;
constexpr std::int64_t kPollersMax = 10'000;
// Without external extensions; with them it is two seconds.
constexpr std::chrono::milliseconds kShutdownBudget{500};

using Pollers = std::vector<std::unique_ptr<Poller>>;

// Clients that SIGTERM interrupts, for as long as this lives.
class Terminable {
 public:
  explicit Terminable(const Pollers& pollers) {
    for (const auto& poller : pollers) clients_.push_back(&poller->client());
    if (!runtime::catch_sigterm(clients_.data(), clients_.size())) runtime::log_line("SIGTERM cannot be caught");
  }
  ~Terminable() { runtime::release_sigterm(clients_.data()); }
  Terminable(const Terminable&) = delete;
  Terminable& operator=(const Terminable&) = delete;

 private:
  std::vector<Client*> clients_;
};

void say(const char* what, const Response& failed) {
  runtime::log_line(std::string(what) + " failed: " + failed.error_type() + ": " + failed.error_message());
}

std::optional<Handler> make(Client& client, const std::function<Handler()>& make_handler) {
  try {
    if (Handler handler = make_handler()) return handler;
    throw std::bad_function_call();
  } catch (...) {
    const Response failed = runtime::current_exception_as_failure();
    say("initialisation", failed);
    // Whether it could be reported or not, this process ends.
    static_cast<void>(client.init_error(runtime::platform_type(failed.error_type()), runtime::failure_json(failed)));
    return std::nullopt;
  }
}

// Nothing, or what failed, with the type that AWS gives it.
std::optional<Response> run_hook(const std::function<void()>& hook, const char* type) {
  if (!hook) return std::nullopt;
  try {
    hook();
    return std::nullopt;
  } catch (...) {
    const Response failed = runtime::current_exception_as_failure();
    return Response::failure(type, failed.error_type() + ": " + failed.error_message(), failed.stack_trace());
  }
}

// Lets the platform take its snapshot. 0, or the status to exit with.
int pass_snapshot(Client& client, const Options& options) {
  if (runtime::variable_text(variable::kInitializationType) != "snap-start") return 0;
  if (const auto failed = run_hook(options.before_snapshot, "Runtime.BeforeSnapshotError")) {
    say("before_snapshot", *failed);
    static_cast<void>(client.init_error(failed->error_type(), runtime::failure_json(*failed)));
    return kExitBeforeSnapshot;
  }
  if (client.restore_next() == Client::Answer::kFatal) return kExitFailed;
  if (const auto failed = run_hook(options.after_restore, "Runtime.AfterRestoreError")) {
    say("after_restore", *failed);
    static_cast<void>(client.restore_error(failed->error_type(), runtime::failure_json(*failed)));
    return kExitAfterRestore;
  }
  return 0;
}

// Every poller on a thread of its own, but for the first. Whether all ended because they were interrupted.
bool serve_concurrently(const Pollers& pollers, const Handler& handler) {
  std::atomic<bool> interrupted = true;
  const auto serve = [&](Poller& poller) {
    if (poller.serve(handler, SetsTraceVariable::kNo)) return;
    // The platform has failed: nobody else will get far, and the process shall end.
    interrupted = false;
    for (const auto& other : pollers) other->client().interrupt();
  };
  std::vector<std::thread> threads;
  threads.reserve(pollers.size());
  for (std::size_t i = 1; i < pollers.size(); ++i) {
    try {
      threads.emplace_back(serve, std::ref(*pollers[i]));
    } catch (const std::system_error&) {
      runtime::log_line("no more threads: serving with fewer pollers");
      break;
    }
  }
  serve(*pollers.front());
  for (std::thread& thread : threads) thread.join();
  return interrupted;
}

int serve(const Pollers& pollers, const Handler& handler, const Options& options) {
  std::optional<Terminable> terminable;
  if (options.on_shutdown) terminable.emplace(pollers);
  const bool interrupted = pollers.size() > 1 ? serve_concurrently(pollers, handler)
                                              : pollers.front()->serve(handler, SetsTraceVariable::kYes);
  if (!interrupted) return kExitFailed;
  const auto failed = run_hook([&] { options.on_shutdown(kShutdownBudget); }, "Runtime.ShutdownError");
  if (!failed) return 0;
  say("on_shutdown", *failed);
  return kExitFailed;
}

}  // namespace

int run_with(const std::function<Handler()>& make_handler, const Options& options) {
  const auto endpoint = runtime::parse_endpoint(runtime::variable_text(variable::kRuntimeApi));
  if (!endpoint) {
    runtime::log_line("AWS_LAMBDA_RUNTIME_API is not an address; this program is started by AWS Lambda or Ogni");
    return kExitFailed;
  }
  Pollers pollers;
  pollers.push_back(std::make_unique<Poller>(*endpoint, kUserAgent));
  Client& first = pollers.front()->client();
  const std::optional<Handler> handler = make(first, make_handler);
  if (!handler) return kExitFailed;
  if (const int status = pass_snapshot(first, options); status != 0) return status;

  const std::int64_t asked =
      options.concurrent ? runtime::parse_decimal(runtime::variable_text(variable::kMaxConcurrency), kPollersMax) : 1;
  while (static_cast<std::int64_t>(pollers.size()) < asked) {
    pollers.push_back(std::make_unique<Poller>(*endpoint, kUserAgent));
  }
  return serve(pollers, *handler, options);
}

int run(Handler handler, const Options& options) {
  return run_with([&handler] { return std::move(handler); }, options);
}

int run_streaming(StreamHandler handler, const Options& options) {
  return run(
      [handler = std::move(handler)](const Event& event, const Context& context) {
        return Response::streamed([&](ResponseStream& stream) { handler(event, context, stream); });
      },
      options);
}

}  // namespace ogni
