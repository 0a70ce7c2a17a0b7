// Which strength `--isolation auto` means on this host, and a launcher of that strength.
//
// The decision is by what the host lastingly is. What may pass is tried again, and then it is an error: functions never run
// without walls because something was short for a moment while the service started.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "sandbox/launcher.h"

namespace ogni::sandbox {

struct WantedStrength {
  std::optional<Strength> strength;  // absent = auto: the strongest that this host can do
  bool had_walls = false;            // functions of this service have run in namespaces before: auto means nothing less
};

struct ChosenLauncher {
  Launcher launcher;
  Strength strength = Strength::kNamespace;
  std::string why_not_more;  // empty when `strength` is the strongest there is, or was asked for
};

// `options.strength` is ignored. Blocks, for some seconds where something has to be tried again. Errors: kNotFound when
// this host lastingly cannot do what is wanted; those of Launcher::start for what may pass.
[[nodiscard]] Result<ChosenLauncher> choose_launcher(const WantedStrength& wanted, Launcher::Options options);

// A launcher of just this strength. What may pass is tried again a few times. kNotFound is only returned when two starts in
// a row have failed with it.
[[nodiscard]] Result<Launcher> start_patiently(const Launcher::Options& options);

}  // namespace ogni::sandbox
