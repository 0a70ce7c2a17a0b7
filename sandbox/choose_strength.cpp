#include "sandbox/choose_strength.h"

#include <poll.h>

#include <utility>

namespace ogni::sandbox {

namespace {

constexpr int kFailuresMax = 2;  // that may pass; the keeper has tried each of them several times
constexpr int kPauseMs = 100;

}  // namespace

Result<Launcher> start_patiently(const Launcher::Options& options) {
  bool was_lasting = false;
  for (int failures = 0;;) {
    auto launcher = Launcher::start(options);
    if (launcher) return launcher;
    const ErrorCode code = launcher.error().code();
    if (code == ErrorCode::kInvalidArgument || code == ErrorCode::kTimedOut) return launcher;
    const bool is_lasting = code == ErrorCode::kNotFound;
    if (is_lasting && was_lasting) return launcher;
    if (!is_lasting && ++failures == kFailuresMax) return launcher;
    was_lasting = is_lasting;
    ::poll(nullptr, 0, kPauseMs);
  }
}

Result<ChosenLauncher> choose_launcher(const WantedStrength& wanted, Launcher::Options options) {
  const auto start = [&](Strength strength, std::string why_not_more) -> Result<ChosenLauncher> {
    options.strength = strength;
    auto launcher = start_patiently(options);
    if (!launcher) return failure(std::move(launcher).error());
    return ChosenLauncher{
        .launcher = std::move(*launcher), .strength = strength, .why_not_more = std::move(why_not_more)};
  };
  if (wanted.strength) return start(*wanted.strength, "");
  auto walled = start(Strength::kNamespace, "");
  if (walled) return walled;
  const std::string& why = walled.error().message();
  if (walled.error().code() != ErrorCode::kNotFound) {
    return failure(walled.error().code(),
                   "functions cannot be isolated now, and what is in the way may pass, so they are not run without "
                   "isolation instead (" +
                       why + "): start the service again later, or say --isolation process");
  }
  if (wanted.had_walls) {
    return failure(
        ErrorCode::kNotFound,
        "functions of this data directory have run with isolation before, and this host cannot isolate them (" + why +
            "): say --isolation process if they shall run without isolation");
  }
  return start(Strength::kProcess, why);
}

}  // namespace ogni::sandbox
