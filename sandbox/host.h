// What this host can do for environments, in plain words: for `ogni doctor` and for `--isolation auto`.
#pragma once

#include <string>
#include <vector>

#include "sandbox/launcher.h"

namespace ogni::sandbox {

// One thing that environments can use.
struct Finding {
  std::string name;  // "user namespaces"
  bool available = false;
  std::string explanation;  // what it is good for, or why it is not there and what would help
};

struct HostReport {
  std::string kernel;  // "6.1.0-18-amd64"
  std::vector<Finding> findings;
  Strength strongest = Strength::kProcess;
  std::string why_not_more;  // empty when `strongest` is the strongest there is
  bool may_pass = false;     // `why_not_more` may be otherwise a moment later: a service would refuse to start now
};

// Tries everything for real, with a launcher and an environment of its own that are gone afterwards; `program` is the
// launcher's, open. Takes some 100 ms. For a process without threads, under the ids that the service will have.
HostReport probe_host(int program);

}  // namespace ogni::sandbox
