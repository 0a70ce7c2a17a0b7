// Which way calls this function's handler. The rules, in their order, are in docs/bootstrap.md.
#pragma once

#include <memory>
#include <string>

#include "bootstrap/settings.h"
#include "bootstrap/way.h"

namespace ogni::bootstrap {

struct Choice {
  std::unique_ptr<Way> way;  // null: none
  std::string reason;        // why this one; or what was looked for
};

Choice choose(const Settings& settings);

}  // namespace ogni::bootstrap
