// The any-language bootstrap: speaks the Runtime API and calls the handler in one of several ways.
#include <signal.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

#include "bootstrap/choice.h"
#include "bootstrap/way.h"
#include "protocol/runtime_api.h"
#include "runtime/client.h"
#include "runtime/sigterm.h"

namespace ogni::bootstrap {
namespace {

using runtime::Client;

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
  Client client(*endpoint, "ogni-bootstrap/" OGNI_VERSION);
  const Settings settings;
  const Choice choice = choose(settings);
  if (settings.is_on("debug")) std::fprintf(stderr, "ogni: %s\n", choice.reason.c_str());
  if (!choice.way) {
    const ErrorReport report = plain_report("Runtime.InvalidEntrypoint", choice.reason);
    std::fprintf(stderr, "ogni: %s\n", choice.reason.c_str());
    fail_init(client, report);
    return 1;
  }
  if (const auto failure = choice.way->start()) {
    if (failure->wait_status) end_like(*failure->wait_status);
    fail_init(client, failure->report);
    return 1;
  }
  Client* const clients[] = {&client};
  static_cast<void>(runtime::catch_sigterm(clients, 1));
  while (client.next()) {
    if (choice.way->serve(client) == Client::Answer::kFatal) break;
    choice.way->clean_up();
  }
  runtime::release_sigterm(clients);
  if (!client.is_interrupted()) return 1;
  choice.way->stop();
  return 0;
}

}  // namespace
}  // namespace ogni::bootstrap

int main() { return ogni::bootstrap::run(); }
