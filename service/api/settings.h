// What the API is told at start.
#pragma once

#include <chrono>

#include "protocol/arn.h"
#include "protocol/limits.h"

namespace ogni::service {

class Roots;

struct ApiSettings {
  protocol::Home home;
  // How long a new function stays Pending and a changed one InProgress, so that waiters can be tested.
  std::chrono::milliseconds activation_delay{0};
  bool allow_nearest_python = false;  // accept python3.N where only another python3 is installed
  Roots* roots = nullptr;             // which root file systems there are besides the host's; null: none
  std::size_t concurrency_max = protocol::limits::kConcurrencyDefault;  // as GetAccountSettings reports it
};

}  // namespace ogni::service
