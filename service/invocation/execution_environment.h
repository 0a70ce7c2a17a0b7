// One execution environment, as the service sees it: the sandbox, the Runtime API that its program polls, the log of what
// it prints, the invocation it has. It performs what the dispatcher decided and reports what happened; it decides nothing
// about which invocation goes where.
//
// Runs on the reactor thread. Shared, because its coroutines may be suspended when the fleet forgets it.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "catalogue/model.h"
#include "dispatch/dispatcher.h"
#include "protocol/arn.h"
#include "sandbox/environment.h"
#include "sandbox/processor_pace.h"
#include "service/invocation/failure.h"
#include "service/invocation/function_program.h"
#include "service/invocation/invocation.h"
#include "service/logs/environment_log.h"
#include "service/logs/log_reader.h"
#include "service/runtime_api/endpoint.h"
#include "service/runtime_api/runtime_host.h"
#include "service/runtime_api/state_machine.h"
#include "service/turns.h"

namespace ogni::service {

// A look at an environment's memory makes the kernel sum up its group, some 20 µs. All environments together get this
// many in a second, so that a thousand busy ones do not spend the reactor's time on them.
class MemoryLooks {
 public:
  bool take(std::chrono::steady_clock::time_point now) {
    constexpr double kPerSecond = 500;
    constexpr double kAtOnce = 100;
    left_ = std::min(kAtOnce, left_ + std::chrono::duration<double>(now - last_).count() * kPerSecond);
    last_ = now;
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  double left_ = 0;
  std::chrono::steady_clock::time_point last_;
};

class ExecutionEnvironment final : public RuntimeHost, public std::enable_shared_from_this<ExecutionEnvironment> {
 public:
  // Told what happened. Calls may come from inside any of the environment's own functions.
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void environment_ready(dispatch::EnvironmentId id) = 0;
    virtual void environment_answered(dispatch::EnvironmentId id) = 0;
    virtual void environment_ended(dispatch::EnvironmentId id) = 0;
    virtual void environment_gone(dispatch::EnvironmentId id) = 0;
  };

  struct Setup {
    dispatch::EnvironmentId id{};
    std::shared_ptr<const catalogue::Function> function;
    FunctionPaths paths;
    protocol::Home home;
    std::string runtime_version_arn;
    MemoryLooks& memory_looks;
    std::shared_ptr<Turns::Member> turns;
    std::shared_ptr<BodyRoom::Holder> room;
  };

  ExecutionEnvironment(boost::asio::any_io_executor executor, Setup setup, Observer& observer, LogStore& logs);
  ~ExecutionEnvironment() override;

  dispatch::EnvironmentId id() const { return setup_.id; }

  bool has(const Invocation& invocation) const { return current_.get() == &invocation; }
  bool is_serving() const { return current_ != nullptr; }

  // What its log begins with, of what Ogni does in another way than AWS.
  void set_notice(std::string text) { notice_ = std::move(text); }
  // Host paths, where nothing is mounted; runtime_api is completed from the port that is listened on.
  void use_paths(FunctionPaths paths) { setup_.paths = std::move(paths); }
  // The launcher made the sandbox: start watching it, and the program as soon as its socket listens.
  void attach(sandbox::Environment sandbox);
  // --- the dispatcher's commands ---
  void restart(std::shared_ptr<Invocation> invocation);
  void deliver(std::shared_ptr<Invocation> invocation, std::chrono::steady_clock::time_point deadline);
  void fail(Invocation& invocation, dispatch::Failure failure);
  void finish(Invocation& invocation);
  void reset(dispatch::ResetReason reason);
  void freeze();
  void thaw();
  void stop();

  // Looks at the memory in use now, where a look is cheap; the largest seen is Max Memory Used.
  void sample_memory();
  // Looks at the processor time used: who goes on using much makes way for others (processor_pace.h).
  void look_at_processor();

  // --- RuntimeHost ---
  void next(const std::shared_ptr<NextWaiter>& waiter) override;
  std::optional<runtime_api::ApiError> begin_answer(const AnswerHead& head) override;
  void finish_answer(AnswerKind kind, AnswerBody body) override;
  void oversized_answer() override;
  void broken_answer() override;
  std::optional<runtime_api::ApiError> begin_init_error(std::string_view error_type) override;
  void finish_init_error(std::string body) override;

 private:
  using Clock = std::chrono::steady_clock;

  boost::asio::awaitable<void> watch_sandbox();
  boost::asio::awaitable<void> watch_log();
  void handle(sandbox::Listening& listening);
  void handle(const sandbox::StartFailed& failed);
  void handle(const sandbox::Exited& exited);
  void handle(const sandbox::Measured& measured);
  void handle(const sandbox::Failed& failed);
  void start_program(InitPhaseName phase);
  void program_ended(FunctionFailure failure);
  void end_failed_init();
  void environment_broke();
  void became_ready();
  std::uint64_t memory_limit_bytes() const;
  bool may_look_at_memory(Clock::time_point now);
  void answer_current(std::string body, bool function_error);
  void answered(std::string body, bool function_error);
  // The time is up and the program is being killed: nothing it says counts any more.
  bool is_overdue() const;
  void begin_log(const Invocation& invocation);
  NextEvent make_event() const;
  bool drain_log(std::size_t lines_max);
  void tell_ready();
  std::optional<std::chrono::nanoseconds> take_init_duration();

  boost::asio::any_io_executor executor_;
  Setup setup_;
  Observer& observer_;
  EnvironmentLog log_;
  LogReader log_reader_;
  std::string notice_;
  runtime_api::RuntimeStateMachine machine_;
  std::optional<sandbox::Environment> sandbox_;
  boost::asio::posix::stream_descriptor control_watch_;
  boost::asio::posix::stream_descriptor log_watch_;
  std::shared_ptr<RuntimeEndpoint> endpoint_;
  std::deque<std::shared_ptr<NextWaiter>> waiters_;

  std::shared_ptr<Invocation> current_;
  std::string current_nonce_;  // Lambda-Runtime-Invocation-Id: differs with each delivery
  std::uint64_t deliveries_ = 0;
  std::chrono::system_clock::time_point current_deadline_;
  Clock::time_point invocation_began_;
  bool log_begun_ = false;     // START was written for current_
  std::string report_status_;  // "error", "timeout" or empty, for the REPORT of current_
  std::string report_error_type_;

  InitPhaseName init_phase_ = InitPhaseName::kInit;
  bool initializing_ = false;
  bool program_running_ = false;
  Clock::time_point requested_;
  Clock::time_point attached_;
  Clock::time_point init_began_;
  std::optional<std::chrono::nanoseconds> init_duration_;  // of a successful init, until a REPORT has told it
  std::optional<FunctionFailure> last_failure_;            // how the program ended
  std::string posted_init_error_;                          // body of /init/error
  std::string posted_init_error_type_;

  std::uint64_t memory_peak_bytes_ = 0;
  sandbox::ProcessorPace pace_;
  bool memory_seen_ = false;
  Clock::time_point memory_sampled_;
  bool ready_after_measure_ = false;
  // END and REPORT wait until the reader has taken so many bytes.
  std::optional<std::uint64_t> ready_after_log_;
  bool stopped_ = false;
};

}  // namespace ogni::service
