// From the author's main() to pollers, and back when the platform ends it.
#include "ogni/runtime.hpp"

#include <sys/resource.h>

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

// Whether it could be reported or not, this process ends.
void report_init_error(Client& client, const Response& failed) {
  runtime::Buffer cause;
  static_cast<void>(client.init_error(runtime::platform_type(failed.error_type()), runtime::failure_json(failed),
                                      runtime::failure_xray_cause(cause, failed)));
}

std::optional<Handler> make(Client& client, const std::function<Handler()>& make_handler) {
  try {
    if (Handler handler = make_handler()) return handler;
    throw std::bad_function_call();
  } catch (...) {
    const Response failed = runtime::current_exception_as_failure();
    say("initialisation", failed);
    report_init_error(client, failed);
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

// The platform has said that the process shall end. The status to exit with.
int shut_down(const Options& options) {
  const auto failed = run_hook([&] { options.on_shutdown(kShutdownBudget); }, "Runtime.ShutdownError");
  if (!failed) return 0;
  say("on_shutdown", *failed);
  return kExitFailed;
}

// Lets the platform take its snapshot. The status to exit with, where it is not to serve.
std::optional<int> pass_snapshot(const Pollers& pollers, const Options& options) {
  if (runtime::variable_text(variable::kInitializationType) != "snap-start") return std::nullopt;
  Client& client = pollers.front()->client();
  if (const auto failed = run_hook(options.before_snapshot, "Runtime.BeforeSnapshotError")) {
    say("before_snapshot", *failed);
    report_init_error(client, *failed);
    return kExitBeforeSnapshot;
  }
  std::optional<Terminable> terminable;
  if (options.on_shutdown) terminable.emplace(pollers);
  if (client.restore_next() == Client::Answer::kFatal) {
    return client.is_interrupted() ? shut_down(options) : kExitFailed;
  }
  terminable.reset();
  if (const auto failed = run_hook(options.after_restore, "Runtime.AfterRestoreError")) {
    say("after_restore", *failed);
    static_cast<void>(client.restore_error(failed->error_type(), runtime::failure_json(*failed)));
    return kExitAfterRestore;
  }
  return std::nullopt;
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
  return interrupted ? shut_down(options) : kExitFailed;
}

// How many invocations are served at once. Each takes a connection; half of the descriptors are the handler's.
std::int64_t pollers_wanted(const Options& options) {
  if (!options.concurrent) return 1;
  const std::int64_t asked = runtime::parse_decimal(runtime::variable_text(variable::kMaxConcurrency), kPollersMax);
  rlimit files = {};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return asked;
  const auto possible = static_cast<std::int64_t>(std::min<rlim_t>(files.rlim_cur / 2, kPollersMax));
  if (asked <= possible) return asked;
  runtime::log_line("descriptors are few: serving with fewer pollers");
  return possible;
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
  const std::optional<Handler> handler = make(pollers.front()->client(), make_handler);
  if (!handler) return kExitFailed;
  if (const auto status = pass_snapshot(pollers, options)) return *status;
  const std::int64_t wanted = pollers_wanted(options);
  while (static_cast<std::int64_t>(pollers.size()) < wanted) {
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
