// One way to call a handler. main.cpp chooses one (choice.h), starts it, and gives it one invocation after the other.
#pragma once

#include <chrono>
#include <optional>

#include "bootstrap/report.h"
#include "runtime/client.h"

namespace ogni::bootstrap {

struct StartFailure {
  ErrorReport report;
  // Of a process that ended by itself before it was ready, as waitpid(2) gives it: this program ends the same way, and
  // the platform reports that.
  std::optional<int> wait_status;
};

class Way {
 public:
  Way() = default;
  Way(const Way&) = delete;
  Way& operator=(const Way&) = delete;
  virtual ~Way() = default;

  // Before the first poll: what is done once.
  virtual std::optional<StartFailure> start() = 0;
  // Calls the handler with client.invocation() and answers it.
  virtual runtime::Client::Answer serve(runtime::Client& client) = 0;
  // After the answer, before the next poll.
  virtual void clean_up() = 0;
  // The environment is about to end: lets processes that last end by themselves, for kStopMax at the longest.
  virtual void stop() {}

  // Below the 500 ms that AWS leaves between SIGTERM and SIGKILL where there are extensions.
  // Source: AWS Lambda Developer Guide, "Shutdown phase".
  static constexpr std::chrono::milliseconds kStopMax{400};
};

}  // namespace ogni::bootstrap
