// Which environment serves an invocation: start, reuse, wait, refuse, time out, reset, retire.
//
// A pure state machine. Events are method calls that carry the time; what has to be done comes out as commands, in
// order, to be carried out by the caller. It owns no socket, thread or clock, so a test can run it through millions of
// schedules. The caller must call advance() when next_deadline() has come.
//
// One environment belongs to one version of one function (code and configuration), handles one invocation at a time,
// and lives through these states:
//
//   kStarting ──ready──► kIdle ──deliver──► kBusy ──answered──► kAnswered ──ready──► kIdle
//       │ ended            │ idle too long     │ ended, timed out   │ ended, timed out
//       ▼                  ▼                   ▼                    ▼
//   (init repeated      (stopped)          kResetting ──ended──► kReset ──invocation──► kRestarting ──ready──► kBusy
//    in the invocation)
//
// * Init runs outside the invocation, for at most init_timeout, and its failure is not told to the caller: the
//   environment is reset and init is repeated inside the oldest waiting invocation, now limited by the function's
//   timeout ("suppressed init"). Only if that fails too, the invocation fails. If nothing waits, the environment is
//   stopped.
// * An invocation ends for its caller at /response, for the environment at the next /next: between the two the
//   environment is kAnswered, not idle, still counted against concurrency, and the function's timeout still runs.
// * An environment is finishing while it is kAnswered, or kResetting after an invocation: soon it is free. An
//   invocation that finds no idle environment but a finishing one that no other invocation already waits for, waits
//   for it for at most reuse_grace: the version's last cold start, but no less than kReuseGraceFloor and no more than
//   Limits::reuse_grace_max. Then a new environment is started, or the invocation is refused. The same holds at the
//   concurrency limit.
// * Starts share the processors, so only some programs start at the same time (starts.cpp). An invocation whose start has
//   to wait is served by whichever environment becomes free first, and its init limit and timeout do not run.
// * Waiting invocations of a version are one queue: whichever environment becomes free takes the oldest.
// * An environment that has been idle for freeze_after is frozen, and thawed by the next invocation before anything else:
//   one that is busy all the time never is.
// * Most recently used idle environment first, one with a program before one without. Synchronous invocations are
//   never queued behind a full limit.
//
// Order of commands for one invocation:
//   served        Deliver … answered() … ready(): FinishInvocation, and perhaps the next Deliver
//   program ends  ended(): FailInvocation unless it was answered, FinishInvocation
//   times out     advance(): FailInvocation unless it was answered, ResetEnvironment; ended(): FinishInvocation.
//                 Without ended() within stop_max: FinishInvocation, StopEnvironment
//   gone          gone(): FailInvocation unless it was answered, FinishInvocation
// with RestartProgram … ready() before Deliver where the program had to be started again. So the log of an invocation
// is complete when FinishInvocation comes.
//
// Source: AWS Lambda Developer Guide, "Understanding Lambda function scaling" and "Lambda execution environment
// lifecycle".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

namespace ogni::dispatch {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

enum class VersionId : std::uint64_t {};      // one immutable (code, configuration) of a function; caller's numbers
enum class InvocationId : std::uint64_t {};   // caller's numbers, unique
enum class EnvironmentId : std::uint64_t {};  // the dispatcher's numbers, never reused

// What a busy scheduler may need to let a runtime that has answered poll again. A cold start of a few milliseconds is no
// reason to give up earlier: it would need the same processors.
inline constexpr Duration kReuseGraceFloor = std::chrono::milliseconds(20);

struct Limits {
  std::size_t concurrency_max = 1000;   // invocations being served at once, all functions together
  std::size_t environments_max = 1000;  // environments that exist at once, idle ones included
  // The memory of all environments together, by their versions' settings. Idle ones give way.
  std::uint64_t memory_mb_max = UINT64_MAX;
  Duration reuse_grace_max = std::chrono::milliseconds(50);  // 0 = the letter of AWS: never wait
  Duration idle_max = std::chrono::minutes(10);              // AWS documents none; ours
  Duration freeze_after = std::chrono::milliseconds(100);    // of idling; 0 = at once, as AWS; max() = never
  Duration stop_max = std::chrono::seconds(2);               // budget of a reset; then the environment is discarded
  // Programs that start at once; more while processors are idle. Starts beyond it wait.
  std::size_t starts_max = SIZE_MAX;
  std::size_t starts_reserve = 1;                      // more of them, for versions that have no start
  Duration start_slot_max = std::chrono::seconds(10);  // a start that takes longer does not count any more
  Duration start_wait_max = std::chrono::minutes(5);   // of an invocation, until an environment takes it
};

struct VersionSpec {
  VersionId id{};
  std::uint64_t memory_mb = 0;
  Duration timeout = std::chrono::seconds(3);
  Duration init_timeout = std::chrono::seconds(10);
};

// Why an invocation was refused before any environment took it.
enum class Refusal {
  kConcurrencyLimit,  // 429
  kEnvironmentLimit,  // 429: no environment can be added, by count or memory, and no idle one given up
  kStartLimit,        // 429: no environment could take it within start_wait_max
  kDraining,          // the service is going down
  kUnknownVersion,    // never added, or retired and gone
};
// Why an invocation failed in an environment.
enum class Failure {
  kTimedOut,           // the function's timeout; the init repeated inside counts
  kProgramEnded,       // the runtime exited or did not start while the invocation was its own
  kEnvironmentFailed,  // the environment could not be made, or broke: the service's fault
};
enum class ResetReason { kInitTimedOut, kTimedOut };
enum class StopReason { kIdle, kRetired, kEvicted, kBroken, kDraining };

// Make an environment of `version` and start its program.
struct StartEnvironment {
  EnvironmentId environment{};
  VersionId version{};
};
// Start the program again in an environment that has none; `invocation` is served by it once it is ready, and
// its timeout has begun.
struct RestartProgram {
  EnvironmentId environment{};
  InvocationId invocation{};
};
// Hand the event to the program that waits in next.
struct Deliver {
  EnvironmentId environment{};
  InvocationId invocation{};
  TimePoint deadline;
};
// Answer the caller: it was not served.
struct Refuse {
  InvocationId invocation{};
  Refusal refusal{};
};
// Answer the caller with the failure; what the environment stored (exit status, init error) makes the words.
// Comes before the ResetEnvironment or StopEnvironment that it causes. With kEnvironmentFailed the invocation
// may not have been begun (no Deliver or RestartProgram before, no FinishInvocation after).
struct FailInvocation {
  InvocationId invocation{};
  EnvironmentId environment{};
  Failure failure{};
};
// The environment's invocation is over (the program asked for the next event, ended, or timed out after
// answering): write END and REPORT. Exactly one for each Deliver or RestartProgram, after
// Answered/FailInvocation.
struct FinishInvocation {
  EnvironmentId environment{};
  InvocationId invocation{};
};
// Kill every process of the environment; ended() tells when they are gone. Comes only while a program may
// run: after ended() there is nothing to kill.
struct ResetEnvironment {
  EnvironmentId environment{};
  ResetReason reason{};
};
// The program has had nothing to do for a moment: stop all its processes.
struct FreezeEnvironment {
  EnvironmentId environment{};
};
// Let them go on. Comes before whatever else is commanded of a frozen environment, except StopEnvironment.
struct ThawEnvironment {
  EnvironmentId environment{};
};
// Shut the environment down and forget it. The dispatcher has forgotten it already. Does not follow gone().
struct StopEnvironment {
  EnvironmentId environment{};
  StopReason reason{};
};
using Command = std::variant<StartEnvironment, RestartProgram, Deliver, Refuse, FailInvocation, FinishInvocation,
                             ResetEnvironment, FreezeEnvironment, ThawEnvironment, StopEnvironment>;

enum class EnvironmentState { kStarting, kIdle, kBusy, kAnswered, kResetting, kReset, kRestarting };

struct Counts {
  std::size_t environments = 0;
  std::size_t idle = 0;  // kIdle and kReset
  // Against concurrency_max: invocations begun and not finished, and those that wait for a start.
  std::size_t serving = 0;
  std::size_t waiting = 0;  // invocations not yet in an environment, those in reuse grace included
  std::size_t starts = 0;   // programs being started, but for those that have taken start_slot_max
  std::size_t wanted = 0;   // starts that wait for others
};

class Dispatcher {
 public:
  explicit Dispatcher(Limits limits);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Makes a version known; invocations name it. Calling it again for a known id, retired or not, changes
  // nothing.
  void add_version(const VersionSpec& version);
  // The version's code or configuration was replaced or deleted: no new invocation will name it. Idle
  // environments are stopped, busy ones after their invocation; what waits is still served. The version is
  // forgotten with its last one.
  void retire_version(VersionId version, TimePoint now);

  void invoke(InvocationId invocation, VersionId version, TimePoint now);
  // The caller does not wait for the answer any more. Of an invocation that no environment has taken nothing is left,
  // and no command speaks of it again; true. One that was begun runs to its end; false.
  bool cancel(InvocationId invocation, VersionId version, TimePoint now);
  // So many processors had nothing to do in the last moment. To be told every few ms while starts wait, and at least once
  // a second while counts().starts is over Limits::starts_max / 2.
  void processors_idle(std::size_t processors, TimePoint now);

  // What follows is ignored for an environment that is not known (any more) or in no state to do it: such
  // reports race with commands. But what a program did is to be reported before its ended(), never after.

  // The program asked for the next event. Ignored while it has one that it has not answered.
  void ready(EnvironmentId environment, TimePoint now);
  // The program posted its response or error for the invocation it has.
  void answered(EnvironmentId environment, TimePoint now);
  // Every process of the environment but its init is gone: exit, crash, failed start, or after
  // ResetEnvironment.
  void ended(EnvironmentId environment, TimePoint now);
  // The environment itself is gone or could not be made.
  void gone(EnvironmentId environment, TimePoint now);
  // The earliest time at which advance() has something to do.
  std::optional<TimePoint> next_deadline() const;
  void advance(TimePoint now);
  // No new invocations; idle environments are stopped now, others when they finish. Over when
  // counts().environments is 0.
  void drain(TimePoint now);

  // The commands since the last call, in order. Empty most of the time after one event or few.
  std::vector<Command> take_commands();
  // The same, into a vector whose memory is used again: clears `into` and swaps.
  void take_commands(std::vector<Command>& into);

  Counts counts() const;
  std::size_t environments_of(VersionId version) const;
  std::optional<EnvironmentState> state_of(EnvironmentId environment) const;
  bool is_frozen(EnvironmentId environment) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ogni::dispatch
