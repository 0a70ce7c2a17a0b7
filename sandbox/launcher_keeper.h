// Starts the launcher again when it dies.
//
// Only who is root can do that, and the daemon is not any more. So the launcher's program first becomes this keeper, which
// does nothing but wait for its child, the launcher proper. Both have the daemon's socket; the keeper says over it that
// every environment is lost, and the next launcher sweeps what the last one left, and says that it is ready.
#pragma once

namespace ogni::sandbox {

// What the launcher returns when it must not go on, but another one could.
inline constexpr int kStartAgain = 3;
// What it returns when it could not start, has said so to the daemon, and what was in its way may pass.
inline constexpr int kTryAgain = 4;

// Runs `launcher` in a child. Returns the exit status of the process: when the launcher has ended by itself, or has died
// too often. What may pass is tried again after a pause, as often as deaths are. All signals are blocked.
int keep_launcher(int (*launcher)(int count, char** arguments), int count, char** arguments);

}  // namespace ogni::sandbox
