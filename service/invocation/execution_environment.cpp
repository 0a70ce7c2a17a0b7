#include "service/invocation/execution_environment.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "protocol/errors.h"
#include "protocol/runtime_api.h"

namespace ogni::service {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kUse = asio::as_tuple(asio::use_awaitable);
// Lines taken at once, without a turn. At an invocation's end: what a function prints that does not print without end.
constexpr std::size_t kLinesAtEnd = 400;
// At the environment's end: as many as the pipe, which holds 1 MiB, and what was read of it can have.
constexpr std::size_t kLinesAtStop = (1 << 20) + LogReader::kReadBytes;
// An invocation that lasted longer than this gets a look at its memory, faster ones share: none can touch much in less.
constexpr auto kLookAlways = 1ms;
constexpr auto kLookEvery = 10ms;

void append_header(std::string& text, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  text += name;
  text += ": ";
  for (const char c : value) {
    if (static_cast<unsigned char>(c) >= 0x20) text += c;  // a value cannot begin another header
  }
  text += "\r\n";
}

// Where the function would see `path` in a namespace: callers and logs are not told where the host keeps it.
std::string as_function_knows(const std::string& path, const FunctionPaths& here) {
  const FunctionPaths standard;
  for (const auto& [ours, known] :
       {std::pair(&here.task_root, &standard.task_root), std::pair(&here.runtime_root, &standard.runtime_root),
        std::pair(&here.layers_root, &standard.layers_root)}) {
    if (!ours->empty() && path.starts_with(*ours + "/")) return *known + path.substr(ours->size());
  }
  return path;
}

}  // namespace

ExecutionEnvironment::ExecutionEnvironment(asio::any_io_executor executor, Setup setup, Observer& observer,
                                           LogStore& logs)
    : executor_(std::move(executor)),
      setup_(std::move(setup)),
      observer_(observer),
      log_(logs, setup_.function->name,
           make_log_stream_name(std::chrono::system_clock::now(), setup_.function->version),
           log_config(setup_.function->settings.inert_json)),
      log_reader_(log_, setup_.turns),
      control_watch_(executor_),
      log_watch_(executor_),
      endpoint_(std::make_shared<RuntimeEndpoint>(executor_, setup_.turns, setup_.room)),
      requested_(Clock::now()),
      pace_(sandbox::processor_share(setup_.function->settings.memory_mb)) {}

ExecutionEnvironment::~ExecutionEnvironment() {
  // The descriptors are the sandbox's to close.
  if (control_watch_.is_open()) control_watch_.release();
  if (log_watch_.is_open()) log_watch_.release();
}

// ---------------------------------------------------------------- the sandbox

void ExecutionEnvironment::attach(sandbox::Environment sandbox) {
  attached_ = Clock::now();
  sandbox_ = std::move(sandbox);
  boost::system::error_code error;
  control_watch_.assign(sandbox_->descriptor(), error);
  if (!error) log_watch_.assign(sandbox_->log_descriptor(), error);
  log_reader_.read_from(sandbox_->log_descriptor());
  if (error) {
    spdlog::error("environment of {}: watch it: {}", setup_.function->name, error.message());
    environment_broke();
    return;
  }
  const auto self = shared_from_this();
  asio::co_spawn(
      executor_,
      [](std::shared_ptr<ExecutionEnvironment> me) -> asio::awaitable<void> { co_await me->watch_sandbox(); }(self),
      asio::detached);
  asio::co_spawn(
      executor_,
      [](std::shared_ptr<ExecutionEnvironment> me) -> asio::awaitable<void> { co_await me->watch_log(); }(self),
      asio::detached);
}

asio::awaitable<void> ExecutionEnvironment::watch_sandbox() {
  while (!stopped_) {
    for (;;) {
      auto event = sandbox_->receive();
      if (!event) {
        environment_broke();
        co_return;
      }
      if (!*event) break;
      if (std::holds_alternative<sandbox::Exited>(**event)) co_await log_reader_.drain_in_turns();
      if (stopped_) co_return;
      std::visit([this](auto& what) { handle(what); }, **event);
      if (stopped_) co_return;
    }
    auto [error] = co_await control_watch_.async_wait(asio::posix::stream_descriptor::wait_read, kUse);
    if (error) co_return;
  }
}

void ExecutionEnvironment::handle(sandbox::Listening& listening) {
  if (setup_.paths.task_root != "/var/task") {  // not a namespace: the port is whatever was free
    setup_.paths.runtime_api = "127.0.0.1:" + std::to_string(listening.port);
  }
  if (auto started = endpoint_->start(std::move(listening.socket), weak_from_this()); !started) {
    spdlog::error("environment of {}: {}", setup_.function->name, started.error().message());
    environment_broke();
    return;
  }
  start_program(InitPhaseName::kInit);
}

void ExecutionEnvironment::start_program(InitPhaseName phase) {
  init_phase_ = phase;
  initializing_ = true;
  init_began_ = Clock::now();
  last_failure_.reset();
  posted_init_error_.clear();
  posted_init_error_type_.clear();
  const catalogue::Function& function = *setup_.function;
  log_.init_start({.phase = phase,
                   .runtime = function.settings.runtime,
                   .runtime_version_arn = setup_.runtime_version_arn,
                   .version = function.version,
                   .memory_mb = function.settings.memory_mb});
  if (!notice_.empty()) log_.notice(std::exchange(notice_, {}));
  auto program = make_program(*setup_.function, setup_.paths, setup_.home, log_.stream());
  if (phase == InitPhaseName::kInvoke) {  // our bootstrap then fails in words before the time-out
    const std::chrono::milliseconds limit = std::chrono::seconds(setup_.function->settings.timeout_seconds);
    program.variables.push_back(fmt::format("OGNI_START_LIMIT_MS={}", limit.count()));
  }
  if (!sandbox_->has_memory_cgroup()) program.memory_bytes = memory_limit_bytes();
  program_running_ = true;
  if (auto started = sandbox_->start(program); !started) {
    spdlog::error("environment of {}: start the program: {}", setup_.function->name, started.error().message());
    environment_broke();
  }
}

void ExecutionEnvironment::handle(const sandbox::StartFailed& failed) {
  sandbox::StartFailed told = failed;
  told.path = as_function_knows(told.path, setup_.paths);
  program_ended(failure_of_start(told, candidate_words(*setup_.function)));
}

void ExecutionEnvironment::handle(const sandbox::Exited& exited) {
  memory_peak_bytes_ = std::max(memory_peak_bytes_, sandbox_->has_memory_cgroup() ? 0 : exited.max_rss_bytes);
  if (exited.out_of_memory) memory_peak_bytes_ = std::max(memory_peak_bytes_, memory_limit_bytes());
  program_ended(failure_of_exit(exited.wait_status, exited.out_of_memory));
}

void ExecutionEnvironment::handle(const sandbox::Measured& measured) {
  memory_peak_bytes_ = std::max({memory_peak_bytes_, measured.pss_bytes, measured.max_rss_bytes});
  if (std::exchange(ready_after_measure_, false)) tell_ready();
}

void ExecutionEnvironment::handle(const sandbox::Failed& failed) {
  spdlog::error("environment of {} could not be made: {}", setup_.function->name, failed.message);
  environment_broke();
}

void ExecutionEnvironment::program_ended(FunctionFailure failure) {
  drain_log(kLinesAtEnd);
  log_.end_line();
  program_running_ = false;
  ready_after_measure_ = false;
  ready_after_log_.reset();
  machine_.reset();
  waiters_.clear();
  endpoint_->close_connections();
  if (!last_failure_) last_failure_ = std::move(failure);
  end_failed_init();
  if (!current_) init_duration_.reset();
  if (current_ && current_->answered && report_status_.empty()) {
    report_status_ = "error";
    report_error_type_ = last_failure_->error_type;
  }
  observer_.environment_ended(setup_.id);
}

std::uint64_t ExecutionEnvironment::memory_limit_bytes() const {
  return static_cast<std::uint64_t>(setup_.function->settings.memory_mb) << 20;
}

void ExecutionEnvironment::end_failed_init() {
  if (!std::exchange(initializing_, false)) return;
  const bool timed_out = last_failure_->error_type == protocol::function_error::kTimedOut;
  const std::string& type = posted_init_error_type_.empty() ? last_failure_->error_type : posted_init_error_type_;
  log_.init_report(Clock::now() - init_began_, init_phase_, timed_out ? "timeout" : "error",
                   timed_out ? std::string_view() : std::string_view(type));
}

void ExecutionEnvironment::environment_broke() {
  if (stopped_) return;
  stopped_ = true;
  drain_log(kLinesAtStop);
  log_.end_line();
  waiters_.clear();
  endpoint_->stop();
  observer_.environment_gone(setup_.id);
}

// ---------------------------------------------------------------- the dispatcher's commands

void ExecutionEnvironment::restart(std::shared_ptr<Invocation> invocation) {
  current_ = std::move(invocation);
  log_begun_ = false;
  invocation_began_ = Clock::now();
  current_deadline_ =
      std::chrono::system_clock::now() + std::chrono::seconds(setup_.function->settings.timeout_seconds);
  report_status_.clear();
  report_error_type_.clear();
  start_program(InitPhaseName::kInvoke);
}

void ExecutionEnvironment::deliver(std::shared_ptr<Invocation> invocation, Clock::time_point deadline) {
  const auto now = Clock::now();
  if (current_ != invocation) {  // else it waited for the program to be started again, and its clock runs
    current_ = std::move(invocation);
    log_begun_ = false;
    invocation_began_ = now;
    report_status_.clear();
    report_error_type_.clear();
    current_deadline_ = std::chrono::system_clock::now() +
                        std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline - now);
  }
  if (pace_.is_beyond()) look_at_processor();  // it may have rested since
  begin_log(*current_);
  current_nonce_ = fmt::format("{:08x}-0000-4000-8000-{:012x}", static_cast<std::uint32_t>(setup_.id), ++deliveries_);
  machine_.deliver();
  while (!waiters_.empty()) {
    // The newest poll is the likeliest to have somebody behind it.
    const auto waiter = std::move(waiters_.back());
    waiters_.pop_back();
    if (waiter->abandoned) continue;
    waiter->outcome.set(make_event());
    return;
  }
}

NextEvent ExecutionEnvironment::make_event() const {
  namespace header = protocol::header;
  const InvokeRequest& request = current_->request;
  NextEvent event;
  event.headers.reserve(512);
  append_header(event.headers, header::kRequestId, request.request_id);
  append_header(event.headers, header::kDeadlineMs, std::to_string(to_epoch_ms(current_deadline_)));
  append_header(event.headers, header::kInvokedFunctionArn, request.invoked_arn);
  append_header(event.headers, header::kTraceId, request.trace_header);
  append_header(event.headers, header::kClientContext, request.client_context);
  append_header(event.headers, header::kInvocationId, current_nonce_);
  event.payload = request.payload;
  event.owner = current_;
  return event;
}

void ExecutionEnvironment::begin_log(const Invocation& invocation) {
  if (std::exchange(log_begun_, true)) return;
  log_.start(invocation.request.request_id, setup_.function->version);
}

void ExecutionEnvironment::fail(Invocation& invocation, dispatch::Failure failure) {
  if (failure == dispatch::Failure::kEnvironmentFailed) {
    invocation.answer.refusal = InvokeRefusal::kServiceFailed;
    invocation.answered = true;
    invocation.let_go();
    return;
  }
  const std::string& request_id = invocation.request.request_id;
  if (failure == dispatch::Failure::kTimedOut) {
    last_failure_ = failure_of_timeout(std::chrono::seconds(setup_.function->settings.timeout_seconds));
    report_status_ = "timeout";
    end_failed_init();
  } else {
    report_status_ = "error";
  }
  const FunctionFailure told = last_failure_.value_or(
      FunctionFailure{.error_type = std::string(protocol::function_error::kUnknown), .message = "Unknown"});
  drain_log(kLinesAtEnd);
  begin_log(invocation);
  std::string body;
  if (failure == dispatch::Failure::kTimedOut) {
    log_.timed_out(request_id, told.message);
    body = failure_body(told, request_id);
  } else {
    if (!posted_init_error_.empty()) {
      report_error_type_ = posted_init_error_type_;
      body = posted_init_error_;
    } else {
      report_error_type_ = told.error_type;
      body = failure_body(told, request_id);
    }
    log_.failed(request_id, told.message, report_error_type_);
  }
  answer_current(std::move(body), true);
}

void ExecutionEnvironment::answer_current(std::string body, bool function_error) {
  Invocation& invocation = *current_;
  if (invocation.answered) return;
  invocation.answered = true;
  invocation.answer.payload = std::move(body);
  invocation.answer.function_error = function_error;
  invocation.answer.executed_version = setup_.function->version;
}

void ExecutionEnvironment::finish(Invocation& invocation) {
  drain_log(kLinesAtEnd);
  if (!stopped_) sample_memory();
  begin_log(invocation);
  const std::string& request_id = invocation.request.request_id;
  log_.end({.request_id = request_id,
            .duration = report_status_ == "timeout"
                            ? std::chrono::nanoseconds(std::chrono::seconds(setup_.function->settings.timeout_seconds))
                            : std::chrono::nanoseconds(Clock::now() - invocation_began_),
            .init = take_init_duration(),
            .memory_mb = setup_.function->settings.memory_mb,
            .memory_used_bytes = memory_peak_bytes_,
            .status = report_status_,
            .error_type = report_error_type_});
  if (invocation.request.wants_log_tail) invocation.answer.log_tail = log_.take_tail();
  const auto ended = std::exchange(current_, nullptr);
  invocation.let_go();
}

std::optional<std::chrono::nanoseconds> ExecutionEnvironment::take_init_duration() {
  return std::exchange(init_duration_, std::nullopt);
}

void ExecutionEnvironment::reset(dispatch::ResetReason reason) {
  if (reason == dispatch::ResetReason::kInitTimedOut) {
    last_failure_ =
        FunctionFailure{.error_type = std::string(protocol::function_error::kTimedOut), .message = "Init timed out"};
  }
  if (reason == dispatch::ResetReason::kTimedOut && current_ && report_status_ != "timeout") {  // it had answered
    report_status_ = "timeout";
    report_error_type_.clear();
    const auto timeout = failure_of_timeout(std::chrono::seconds(setup_.function->settings.timeout_seconds));
    log_.timed_out(current_->request.request_id, timeout.message);
  }
  if (!program_running_ || stopped_) return;
  if (auto killed = sandbox_->kill(); !killed) environment_broke();
}

void ExecutionEnvironment::freeze() {
  if (stopped_ || !sandbox_) return;
  drain_log(kLinesAtEnd);
  // Not fatal: it goes on as it is, and uses processor time that it should not have.
  if (auto frozen = sandbox_->freeze(); !frozen) {
    spdlog::warn("environment of {}: {}", setup_.function->name, frozen.error().message());
  }
}

void ExecutionEnvironment::thaw() {
  if (stopped_ || !sandbox_) return;
  if (auto thawed = sandbox_->thaw(); !thawed) {
    spdlog::error("environment of {}: {}", setup_.function->name, thawed.error().message());
    environment_broke();
  }
}

void ExecutionEnvironment::stop() {
  stopped_ = true;
  if (sandbox_) {
    drain_log(kLinesAtStop);
    log_.end_line();
  }
  waiters_.clear();
  endpoint_->stop();
  // The waits end, the coroutines let go of this object, and closing the sandbox ends every process in it.
  if (control_watch_.is_open()) control_watch_.release();
  if (log_watch_.is_open()) log_watch_.release();
  log_reader_.stop();
  sandbox_.reset();
}

// ---------------------------------------------------------------- memory and log

bool ExecutionEnvironment::may_look_at_memory(Clock::time_point now) {
  const bool asked = current_ && current_->request.wants_log_tail;
  if (memory_seen_ && !asked) {
    if (now - memory_sampled_ < kLookEvery && now - invocation_began_ < kLookAlways) return false;
    if (!setup_.memory_looks.take(now)) return false;
  }
  memory_seen_ = true;
  memory_sampled_ = now;
  return true;
}

void ExecutionEnvironment::sample_memory() {
  if (!sandbox_ || !sandbox_->has_memory_cgroup()) return;
  if (!may_look_at_memory(Clock::now())) return;
  if (const auto bytes = sandbox_->memory_peak_bytes()) memory_peak_bytes_ = std::max(memory_peak_bytes_, *bytes);
}

void ExecutionEnvironment::look_at_processor() {
  if (!sandbox_) return;
  const auto used = sandbox_->processor_time();
  if (used) sandbox_->set_makes_way(pace_.look(Clock::now(), *used, setup_.turns->is_waiting()));
}

asio::awaitable<void> ExecutionEnvironment::watch_log() {
  while (!stopped_) {
    if (!log_reader_.has_rest()) {
      auto [error] = co_await log_watch_.async_wait(asio::posix::stream_descriptor::wait_read, kUse);
      // drain_log() cancels the wait where it leaves a rest.
      if (stopped_ || (error && error != asio::error::operation_aborted)) co_return;
    }
    if (co_await log_reader_.work() == LogReader::Read::kEnd || stopped_) co_return;
    if (ready_after_log_ && (log_reader_.taken() >= *ready_after_log_ || log_reader_.waiting() == 0)) {
      ready_after_log_.reset();
      observer_.environment_ready(setup_.id);
    }
  }
}

// Whether that was all.
bool ExecutionEnvironment::drain_log(std::size_t lines_max) {
  if (!sandbox_ || log_reader_.drain(lines_max)) return true;
  if (log_reader_.has_rest() && log_watch_.is_open()) log_watch_.cancel();
  return false;
}

// ---------------------------------------------------------------- the Runtime API

bool ExecutionEnvironment::is_overdue() const {
  return current_ && current_->answered && machine_.state() == runtime_api::RuntimeState::kRunning;
}

void ExecutionEnvironment::next(const std::shared_ptr<NextWaiter>& waiter) {
  if (waiters_.size() >= RuntimeEndpoint::kConnectionsMax) {
    std::erase_if(waiters_, [](const auto& old) { return old->abandoned; });
  }
  if (is_overdue()) {
    waiters_.push_back(waiter);
    return;
  }
  const auto outcome = machine_.next();
  if (!outcome) {
    waiter->outcome.set(outcome.error());
    return;
  }
  switch (*outcome) {
    case runtime_api::NextOutcome::kRedeliver:
      waiter->outcome.set(make_event());
      return;
    case runtime_api::NextOutcome::kWaitMore:
      waiters_.push_back(waiter);
      return;
    case runtime_api::NextOutcome::kReady:
      waiters_.push_back(waiter);
      became_ready();
      return;
  }
}

void ExecutionEnvironment::became_ready() {
  const auto now = Clock::now();
  const bool was_initializing = std::exchange(initializing_, false);
  if (was_initializing) log_.init_done(now - init_began_, init_phase_);
  if (was_initializing && init_phase_ == InitPhaseName::kInit) {
    init_duration_ = now - init_began_;
    spdlog::debug("cold start of {}: launcher {} µs, sandbox {} µs, program to first poll {} µs", setup_.function->name,
                  std::chrono::duration_cast<std::chrono::microseconds>(attached_ - requested_).count(),
                  std::chrono::duration_cast<std::chrono::microseconds>(init_began_ - attached_).count(),
                  std::chrono::duration_cast<std::chrono::microseconds>(now - init_began_).count());
  }
  if (current_ && !sandbox_->has_memory_cgroup() && may_look_at_memory(now)) {
    ready_after_measure_ = true;
    if (sandbox_->measure()) return;
    ready_after_measure_ = false;
  }
  tell_ready();
}

// END follows, and what the program printed belongs before it. What it prints from now on does not, so that nobody prints
// its way out of an end.
void ExecutionEnvironment::tell_ready() {
  if (current_ && !drain_log(kLinesAtEnd)) {
    ready_after_log_ = log_reader_.taken() + log_reader_.waiting();
    return;
  }
  observer_.environment_ready(setup_.id);
}

std::optional<runtime_api::ApiError> ExecutionEnvironment::begin_answer(const AnswerHead& head) {
  const bool is_current = current_ && head.request_id == current_->request.request_id && !is_overdue();
  if (is_current && !head.invocation_id.empty() && head.invocation_id != current_nonce_) {
    return runtime_api::invocation_is_over();
  }
  const auto begun = head.kind == AnswerKind::kResponse ? machine_.begin_response(is_current, head.response_mode)
                                                        : machine_.begin_error(is_current);
  if (begun) {
    if (head.kind == AnswerKind::kError) {
      report_status_ = "error";
      report_error_type_ = runtime_api::scrub_error_type(head.error_type);
    }
    return std::nullopt;
  }
  if (begun.error().error_type == "InvalidFunctionResponseMode" && is_current) {
    report_status_ = "error";
    report_error_type_ = protocol::function_error::kInvalidResponseMode;
    answered(oversized_body({.error_type = std::string(protocol::function_error::kInvalidResponseMode),
                             .message = "Invalid function response mode"}),
             true);
  }
  return begun.error();
}

// What the caller gets is there; the dispatcher is told, and the caller let go unless it waits for the log.
void ExecutionEnvironment::answered(std::string body, bool function_error) {
  const auto invocation = current_;
  answer_current(std::move(body), function_error);
  observer_.environment_answered(setup_.id);
  if (!invocation->request.wants_log_tail) invocation->let_go();
}

void ExecutionEnvironment::finish_answer(AnswerKind kind, AnswerBody body) {
  if (!current_) return;
  machine_.finish_answer();
  if (kind == AnswerKind::kError) return answered(std::move(body.bytes), true);
  if (!body.failure) return answered(std::move(body.bytes), false);
  report_status_ = "error";
  report_error_type_ = runtime_api::scrub_error_type(body.failure->error_type);
  answered(stream_failure_body(body.failure->error_body), true);
}

void ExecutionEnvironment::oversized_answer() {
  if (!current_) return;
  machine_.finish_answer();
  const auto failure = failure_of_oversized_response();
  report_status_ = "error";
  report_error_type_ = failure.error_type;
  answered(oversized_body(failure), true);
}

void ExecutionEnvironment::broken_answer() {
  if (!current_) return;
  machine_.finish_answer();
  report_status_ = "error";
  report_error_type_ = protocol::function_error::kTruncatedResponse;
  answered(oversized_body({.error_type = std::string(protocol::function_error::kTruncatedResponse),
                           .message = "Response payload was truncated"}),
           true);
}

std::optional<runtime_api::ApiError> ExecutionEnvironment::begin_init_error(std::string_view error_type) {
  if (const auto refused = machine_.init_error()) return refused;
  posted_init_error_type_ = runtime_api::scrub_error_type(error_type);
  posted_init_error_ = "{}";
  return std::nullopt;
}

void ExecutionEnvironment::finish_init_error(std::string body) {
  if (!body.empty()) posted_init_error_ = std::move(body);
}

}  // namespace ogni::service
