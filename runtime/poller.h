// One thread's part of serving: poll, call the handler, answer.
#pragma once

#include <string_view>

#include "ogni/runtime.hpp"
#include "runtime/client.h"
#include "runtime/trace_variable.h"

namespace ogni::runtime {

enum class SetsTraceVariable { kNo, kYes };

class Poller {
 public:
  Poller(const Endpoint& endpoint, std::string_view user_agent) : client_(endpoint, user_agent) {}

  Client& client() { return client_; }
  // Until the client is interrupted (true) or cannot go on (false).
  [[nodiscard]] bool serve(const Handler& handler, SetsTraceVariable sets_trace_variable);

 private:
  Client::Answer answer(const Response& response);
  Client::Answer stream(const Response& response);

  Client client_;
  bool polls_along_ = false;  // with an answer, where the platform takes it
};

}  // namespace ogni::runtime
