#include "service/invocation/fleet.h"
#include "service/invocation/extensions.h"
#include "service/managed_runtimes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>

#include "base/digest.h"
#include "base/log.h"
#include "base/system.h"

namespace ogni::service {

namespace asio = boost::asio;
using dispatch::EnvironmentId;
using dispatch::InvocationId;
using dispatch::VersionId;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kToldMax = 10'000;  // functions whose refusal is remembered, and told
constexpr auto kUse = asio::as_tuple(asio::use_awaitable);
constexpr auto kSampleEvery = 50ms;
constexpr auto kWatchEvery = 50ms;
constexpr std::uint64_t kWatchesPerCallers = 10;  // who has given up is looked for once in so many
constexpr std::size_t kSamplesPerTick = 64;
constexpr std::size_t kPacedPerTick = 256;
constexpr unsigned kGenerationBits = 24;

dispatch::Limits complete(dispatch::Limits limits, const Processors& processors) {
  if (limits.starts_max > 0) return limits;
  limits.starts_max = 2 * processors.count();
  limits.starts_reserve = processors.count();
  return limits;
}

dispatch::TimePoint now() { return std::chrono::steady_clock::now(); }

std::uint64_t key(EnvironmentId id) { return static_cast<std::uint64_t>(id); }
std::uint64_t key(InvocationId id) { return static_cast<std::uint64_t>(id); }
std::uint64_t key(VersionId id) { return static_cast<std::uint64_t>(id); }

VersionId version_id(const catalogue::Function& function) {
  return VersionId{(function.instance << kGenerationBits) | (function.generation & ((1U << kGenerationBits) - 1))};
}

// Where a descriptor's directory is on the host.
Result<std::string> path_of(int fd) {
  std::error_code error;
  auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), error);
  if (error) return failure(ErrorCode::kIo, "find a directory's path: " + error.message());
  return path.string();
}

// "Root=1-…;Parent=…;Sampled=0" of the event becomes "root=1-…;sampled=0" for the caller, as AWS answers it.
std::string trace_for_caller(std::string_view trace) {
  std::string root;
  std::string sampled = "0";
  while (!trace.empty()) {
    const std::size_t semicolon = trace.find(';');
    const std::string_view part = trace.substr(0, semicolon);
    if (part.starts_with("Root=")) root = part.substr(5);
    if (part.starts_with("Sampled=")) sampled = part.substr(8);
    trace.remove_prefix(semicolon == std::string_view::npos ? trace.size() : semicolon + 1);
  }
  return root.empty() ? std::string() : "root=" + root + ";sampled=" + sampled;
}

}  // namespace

Fleet::Fleet(asio::io_context& context, sandbox::Launcher launcher, catalogue::CodeStore& code, Roots& roots,
             LogStore& logs, Options options)
    : context_(context),
      launcher_(std::move(launcher)),
      launcher_watch_(context, launcher_.descriptor()),
      code_(code),
      roots_(roots),
      logs_(logs),
      options_(std::move(options)),
      runtimes_(std::move(options_.runtime_directory)),
      dispatcher_(complete(options_.limits, processors_)),
      timer_(context),
      sampler_(context),
      watch_(context) {}

Fleet::~Fleet() {
  for (auto& [id, living] : environments_) living.environment->stop();
  if (launcher_watch_.is_open()) launcher_watch_.release();
}

void Fleet::start(std::function<void()> launcher_lost) {
  launcher_lost_ = std::move(launcher_lost);
  say_where_tmp_is();
  asio::co_spawn(context_, watch_launcher(), asio::detached);
}

void Fleet::lose_all() {
  std::vector<EnvironmentId> all;
  all.reserve(environments_.size());
  for (const auto& [id, living] : environments_) all.push_back(EnvironmentId{id});
  for (const auto id : all) environment_gone(id);
}

void Fleet::say_where_tmp_is() {
  const std::string& why = launcher_.why_tmp_is_memory();
  if (why.empty() || said_where_tmp_is_ || options_.strength != sandbox::Strength::kNamespace) return;
  said_where_tmp_is_ = true;
  spdlog::warn("the files that functions write to /tmp count as memory: {}", why);
}

// What was asked and not answered may have died with the launcher, or still wait for the next one.
void Fleet::ask_again_after_loss() {
  std::vector<EnvironmentId> lost;
  unrequested_.clear();
  for (const auto& [id, living] : environments_) {
    if (living.is_made) {
      lost.push_back(EnvironmentId{id});
    } else {
      unrequested_.push_back(EnvironmentId{id});
    }
  }
  for (const auto id : lost) environment_gone(id);
  send_requests();
}

asio::awaitable<void> Fleet::watch_launcher() {
  for (;;) {
    auto [error] = co_await launcher_watch_.async_wait(asio::posix::stream_descriptor::wait_read, kUse);
    if (error) co_return;
    for (;;) {
      auto reply = launcher_.receive();
      say_where_tmp_is();
      if (!reply) {
        spdlog::critical("the launcher is gone: {}", reply.error().message());
        lose_all();
        if (launcher_lost_) launcher_lost_();
        co_return;
      }
      if (!*reply) break;
      if ((*reply)->lost) {
        spdlog::error("{}; it is started again, its environments are lost", (*reply)->environment.error().message());
        ask_again_after_loss();
        continue;
      }
      send_requests();
      const auto environment = find(EnvironmentId{(*reply)->id});
      if (!environment) continue;  // given up meanwhile; closing the sandbox ends it
      if ((*reply)->environment) {
        environments_.at((*reply)->id).is_made = true;
        environment->attach(std::move(*(*reply)->environment));
      } else if ((*reply)->environment.error().code() !=
                 ErrorCode::kConflict) {  // asked twice: the other answer counts
        spdlog::error("an environment could not be made: {}", (*reply)->environment.error().message());
        environment_gone(environment->id());
      }
    }
  }
}

// ---------------------------------------------------------------- invocations

asio::awaitable<InvokeAnswer> Fleet::invoke(InvokeRequest request) {
  const InvocationId id{next_invocation_++};
  const VersionId version = learn_version(request.function);
  const auto invocation = std::make_shared<Invocation>(id, std::move(request));
  invocation->answer.trace_header = trace_for_caller(invocation->request.trace_header);
  ++versions_[key(version)].users;
  invocations_.emplace(key(id), invocation);
  dispatcher_.invoke(id, version, now());
  pump();
  co_await invocation->release.wait();
  co_return std::move(invocation->answer);
}

VersionId Fleet::learn_version(const std::shared_ptr<const catalogue::Function>& function) {
  const VersionId id = version_id(*function);
  Version& version = versions_[key(id)];
  if (!version.function) {
    version.function = function;
    version.room = room_->make_holder();
    instances_[function->instance].insert(id);
    dispatcher_.add_version({.id = id,
                             .memory_mb = static_cast<std::uint64_t>(function->settings.memory_mb),
                             .timeout = std::chrono::seconds(function->settings.timeout_seconds)});
  }
  return id;
}

void Fleet::retire_older(std::uint64_t instance, std::uint64_t current_generation) {
  const auto it = instances_.find(instance);
  if (it == instances_.end()) return;
  const auto versions = it->second;
  for (const VersionId id : versions) {
    if (versions_[key(id)].function->generation < current_generation) retire(id);
  }
  pump();
}

void Fleet::retire_all(std::uint64_t instance) {
  const auto it = instances_.find(instance);
  if (it == instances_.end()) return;
  const auto versions = it->second;
  for (const VersionId id : versions) retire(id);
  pump();
}

void Fleet::retire(VersionId id) {
  Version& version = versions_[key(id)];
  if (std::exchange(version.retired, true)) return;
  ++version.users;  // not forgotten inside this function
  dispatcher_.retire_version(id, now());
  release_version(id);
}

void Fleet::release_version(VersionId id) {
  const auto it = versions_.find(key(id));
  if (it == versions_.end() || --it->second.users > 0 || !it->second.retired) return;
  const auto instance = instances_.find(it->second.function->instance);
  if (instance != instances_.end()) {
    instance->second.erase(id);
    if (instance->second.empty()) instances_.erase(instance);
  }
  versions_.erase(it);
}

void Fleet::drain(std::function<void()> done) {
  drained_ = std::move(done);
  dispatcher_.drain(now());
  pump();
}

void Fleet::abandon() {
  for (const auto& [id, invocation] : std::exchange(invocations_, {})) {
    if (!invocation->answered) invocation->answer.refusal = InvokeRefusal::kServiceUnavailable;
    invocation->let_go();
  }
}

std::vector<std::string> Fleet::code_in_use() const {
  std::vector<std::string> digests;
  for (const auto& [id, version] : versions_) {
    digests.push_back(version.function->code.sha256_hex);
    for (const auto& layer : version.function->settings.layers) digests.push_back(layer.code.sha256_hex);
  }
  return digests;
}

// ---------------------------------------------------------------- what environments report

void Fleet::environment_ready(EnvironmentId id) {
  dispatcher_.ready(id, now());
  pump();
}

void Fleet::environment_answered(EnvironmentId id) {
  dispatcher_.answered(id, now());
  pump();
}

void Fleet::environment_ended(EnvironmentId id) {
  dispatcher_.ended(id, now());
  pump();
}

void Fleet::environment_gone(EnvironmentId id) {
  const auto environment = find(id);
  if (!environment) return;
  dispatcher_.gone(id, now());
  gone_.push_back(id);
  pump();
}

// ---------------------------------------------------------------- commands

// Commands resume callers and environments, whose next steps may be events for the dispatcher: those are performed by
// the outermost call, in order.
void Fleet::pump() {
  if (pumping_) return;
  pumping_ = true;
  const std::unique_ptr<bool, decltype([](bool* flag) { *flag = false; })> pumped(&pumping_);  // also after a throw
  for (;;) {
    dispatcher_.take_commands(commands_);
    for (const auto& command : commands_) {
      std::visit([this](const auto& what) { perform(what); }, command);
    }
    if (!commands_.empty()) continue;
    if (gone_.empty()) break;
    // Their last invocation has been failed and finished by now.
    for (const EnvironmentId id : std::exchange(gone_, {})) {
      if (const auto environment = find(id)) environment->stop();
      forget_environment(id);
    }
  }
  arm_timer();
  arm_watch();
  if (drained_ && dispatcher_.counts().environments == 0 && invocations_.empty()) {
    auto done = std::exchange(drained_, nullptr);
    done();
  }
}

void Fleet::perform(const dispatch::StartEnvironment& command) {
  Version& version = versions_[key(command.version)];
  ++version.users;
  const std::string& runtime = version.function->settings.runtime;
  auto environment = std::make_shared<ExecutionEnvironment>(
      context_.get_executor(),
      ExecutionEnvironment::Setup{.id = command.environment,
                                  .function = version.function,
                                  .paths = {},
                                  .home = options_.home,
                                  .runtime_version_arn = "arn:" + options_.home.partition + ":lambda:" +
                                                         options_.home.region + "::runtime:" + to_hex(sha256(runtime)),
                                  .memory_looks = memory_looks_,
                                  .turns = turns_->join(),
                                  .room = version.room},
      static_cast<ExecutionEnvironment::Observer&>(*this), logs_);
  environments_.emplace(key(command.environment), Living{.environment = std::move(environment),
                                                         .function = version.function,
                                                         .version = command.version,
                                                         .temporary = {}});
  unrequested_.push_back(command.environment);
  send_requests();
}

void Fleet::send_requests() {
  while (!unrequested_.empty()) {
    const EnvironmentId id = unrequested_.front();
    const auto it = environments_.find(key(id));
    if (it != environments_.end()) {
      const auto requested = request_environment(id, it->second);
      if (!requested && requested.error().code() == ErrorCode::kLimit) return;  // goes on after the next reply
      if (!requested) {
        spdlog::error("environment of {}: {}", it->second.function->name, requested.error().message());
        unrequested_.pop_front();
        environment_gone(id);
        continue;
      }
    }
    unrequested_.pop_front();
  }
}

Result<void> Fleet::request_environment(EnvironmentId id, Living& living) {
  constexpr std::uint64_t kMiB = 1 << 20;
  const auto& settings = living.function->settings;
  auto task = code_.open_tree(living.function->code.sha256_hex);
  if (!task) return failure(std::move(task).error().within("open the code"));
  sandbox::EnvironmentSpec spec;
  spec.id = key(id);
  spec.strength = options_.strength;
  spec.memory_bytes = static_cast<std::uint64_t>(settings.memory_mb) * kMiB;
  spec.tmp_bytes = static_cast<std::uint64_t>(settings.ephemeral_storage_mb) * kMiB;
  // AWS: 1,769 MB of memory are one processor.
  spec.processor_share = sandbox::processor_share(settings.memory_mb);
  if (options_.processor_quota) spec.processor_limit = spec.processor_share;
  spec.egress = options_.strength == sandbox::Strength::kNamespace && may_leave(*living.function);
  spec.task = task->get();
  if (auto ready = use_root(living, spec); !ready) return ready;
  if (is_managed_runtime(settings.runtime)) {
    auto runtime = runtimes_.of(settings.runtime, managed_interpreter(settings.runtime));
    if (!runtime) return failure(std::move(runtime).error());
    spec.runtime = *runtime;
  }
  std::vector<Fd> layers;
  for (const auto& layer : settings.layers) {
    auto tree = code_.open_tree(layer.code.sha256_hex);
    if (!tree) return failure(std::move(tree).error().within("open layer " + layer.arn));
    spec.layers.push_back(tree->get());
    layers.push_back(std::move(*tree));
  }
  living.environment->set_notice(extensions_notice(extensions_of(spec.layers)));
  if (options_.strength == sandbox::Strength::kProcess) {
    spec.layers.clear();
    if (auto ready = use_host_paths(id, living, spec); !ready) return ready;
  }
  return launcher_.request(spec);
}

// What is wrong here is the caller's to know.
Result<void> Fleet::use_root(Living& living, sandbox::EnvironmentSpec& spec) {
  std::string& problem = versions_[key(living.version)].problem;
  auto root = roots_.find(living.function->tags);
  if (!root) {
    problem = root.error().message();
    return failure(std::move(root).error());
  }
  auto interpreter = Roots::interpreter(*root, living.function->settings.runtime);
  problem = interpreter ? "" : interpreter.error().message();
  if (!interpreter) return failure(std::move(interpreter).error());
  if (!*root) return {};
  living.root = std::move(*root);
  spec.root = living.root->tree.get();
  FunctionPaths paths;
  paths.interpreter = std::move(*interpreter);
  living.environment->use_paths(std::move(paths));
  return {};
}

// Whether a function reaches other hosts. What it is refused is told once for each function.
bool Fleet::may_leave(const catalogue::Function& function) {
  const auto tag = function.tags.find("ogni:network");
  const bool wants = tag != function.tags.end() && tag->second == "egress";
  switch (options_.network) {
    case Settings::Network::kEgress:
      return tag == function.tags.end() || tag->second != "loopback";
    case Settings::Network::kTagged:
      return wants;
    case Settings::Network::kLoopback:
      break;
  }
  if (wants && told_of_network_.size() < kToldMax && told_of_network_.insert(function.instance).second) {
    spdlog::warn(
        "{} is tagged ogni:network=egress but reaches its loopback only: start the service with --network tagged",
        function.name);
  }
  return false;
}

// Where nothing is mounted, the function sees the host's paths.
Result<void> Fleet::use_host_paths(EnvironmentId id, Living& living, sandbox::EnvironmentSpec& spec) {
  auto task = path_of(spec.task);
  if (!task) return failure(std::move(task).error());
  auto runtime = path_of(runtimes_.base());
  if (!runtime) return failure(std::move(runtime).error());
  auto temporary = path_of(options_.temporary_directory.get());
  if (!temporary) return failure(std::move(temporary).error());
  spec.task_path = *task;
  spec.runtime_path = *runtime;
  spec.opt_path = *runtime + "/no-layers";
  if (!living.function->settings.layers.empty()) {
    std::vector<std::string> digests;
    for (const auto& layer : living.function->settings.layers) digests.push_back(layer.code.sha256_hex);
    auto merged = code_.merged_tree(digests);
    if (!merged) return failure(std::move(merged).error().within("merge layers"));
    auto merged_path = path_of(merged->get());
    if (!merged_path) return failure(std::move(merged_path).error());
    spec.opt_path = *merged_path;
  }
  living.temporary = "env-" + std::to_string(key(id));
  if (::mkdirat(options_.temporary_directory.get(), living.temporary.c_str(), 0700) != 0 && errno != EEXIST) {
    return failure(Error::from_errno("make the environment's /tmp"));
  }
  spec.tmp_path = *temporary + "/" + living.temporary;
  living.environment->use_paths({.task_root = spec.task_path,
                                 .runtime_root = spec.runtime_path,
                                 .layers_root = spec.opt_path,
                                 .temporary = spec.tmp_path,
                                 .runtime_api = {}});
  return {};
}

void Fleet::perform(const dispatch::RestartProgram& command) {
  if (const auto environment = find(command.environment)) {
    const auto it = invocations_.find(key(command.invocation));
    if (it == invocations_.end()) return;
    it->second->begun = true;
    environment->restart(it->second);
  }
}

void Fleet::perform(const dispatch::Deliver& command) {
  if (const auto environment = find(command.environment)) {
    const auto it = invocations_.find(key(command.invocation));
    if (it == invocations_.end()) return;
    it->second->begun = true;
    environment->deliver(it->second, command.deadline);
    arm_sampler();
  }
}

void Fleet::perform(const dispatch::Refuse& command) {
  const auto it = invocations_.find(key(command.invocation));
  if (it == invocations_.end()) return;
  const auto invocation = it->second;
  invocations_.erase(it);
  switch (command.refusal) {
    case dispatch::Refusal::kConcurrencyLimit:
    case dispatch::Refusal::kEnvironmentLimit:
      invocation->answer.refusal = InvokeRefusal::kConcurrencyLimit;
      break;
    case dispatch::Refusal::kStartLimit:
      invocation->answer.refusal = InvokeRefusal::kStartLimit;
      break;
    case dispatch::Refusal::kDraining:
      invocation->answer.refusal = InvokeRefusal::kServiceUnavailable;
      break;
    case dispatch::Refusal::kUnknownVersion:
      invocation->answer.refusal = InvokeRefusal::kServiceFailed;
      break;
  }
  release_version(version_id(*invocation->request.function));
  invocation->let_go();
}

void Fleet::perform(const dispatch::FailInvocation& command) {
  const auto it = invocations_.find(key(command.invocation));
  if (it == invocations_.end()) return;
  const auto invocation = it->second;
  const auto environment = find(command.environment);
  if (environment && environment->has(*invocation)) {
    environment->fail(*invocation, command.failure);
    if (!invocation->request.wants_log_tail) invocation->let_go();
    return;
  }
  // It never reached an environment, so nothing will finish it.
  invocations_.erase(it);
  const auto version = versions_.find(key(version_id(*invocation->request.function)));
  const bool is_told = version != versions_.end() && !version->second.problem.empty();
  invocation->answer.refusal = is_told ? InvokeRefusal::kNoRuntime : InvokeRefusal::kServiceFailed;
  if (is_told) invocation->answer.payload = version->second.problem;
  release_version(version_id(*invocation->request.function));
  invocation->let_go();
}

void Fleet::perform(const dispatch::FinishInvocation& command) {
  const auto it = invocations_.find(key(command.invocation));
  if (it == invocations_.end()) return;
  const auto invocation = it->second;
  invocations_.erase(it);
  if (const auto environment = find(command.environment)) environment->finish(*invocation);
  release_version(version_id(*invocation->request.function));
  invocation->let_go();
}

void Fleet::perform(const dispatch::ResetEnvironment& command) {
  if (const auto environment = find(command.environment)) environment->reset(command.reason);
}

void Fleet::perform(const dispatch::FreezeEnvironment& command) {
  if (const auto environment = find(command.environment)) environment->freeze();
}

void Fleet::perform(const dispatch::ThawEnvironment& command) {
  if (const auto environment = find(command.environment)) environment->thaw();
}

void Fleet::perform(const dispatch::StopEnvironment& command) {
  const auto environment = find(command.environment);
  if (!environment) return;
  environment->stop();
  forget_environment(command.environment);
}

void Fleet::forget_environment(EnvironmentId id) {
  const auto it = environments_.find(key(id));
  if (it == environments_.end()) return;
  if (!it->second.temporary.empty()) {
    std::error_code ignored;
    if (auto base = path_of(options_.temporary_directory.get())) {
      std::filesystem::remove_all(*base + "/" + it->second.temporary, ignored);
    }
  }
  const VersionId version = it->second.version;
  environments_.erase(it);
  release_version(version);
}

Fleet::EnvironmentPointer Fleet::find(EnvironmentId id) const {
  const auto it = environments_.find(key(id));
  return it == environments_.end() ? nullptr : it->second.environment;
}

// ---------------------------------------------------------------- time

// Armed only for what is earlier than what it is armed for already: a warm invocation arms nothing.
void Fleet::arm_timer() {
  const auto deadline = dispatcher_.next_deadline();
  if (!deadline || (armed_ && *armed_ <= *deadline)) return;
  armed_ = *deadline;
  timer_.expires_at(*deadline);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    armed_.reset();
    dispatcher_.advance(now());
    pump();
  });
}

// Memory that is freed before the invocation ends would never be seen otherwise.
void Fleet::arm_sampler() {
  if (std::exchange(sampling_, true)) return;
  sampler_.expires_after(kSampleEvery);
  sampler_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    sampling_ = false;
    const std::size_t turns = environments_.size() / kPacedPerTick + 1;
    ++ticks_;
    std::size_t serving = 0;
    for (const auto& [id, living] : environments_) {
      if (!living.environment->is_serving()) continue;
      if (++serving <= kSamplesPerTick) living.environment->sample_memory();
      if (id % turns == ticks_ % turns) living.environment->look_at_processor();
    }
    if (serving > 0) arm_sampler();
  });
}

void Fleet::arm_watch() {
  if (watching_ || dispatcher_.counts().waiting == 0) return;
  watching_ = true;
  watch_.expires_after(kWatchEvery);
  watch_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    watching_ = false;
    watch_waiting();
    pump();
  });
}

void Fleet::watch_waiting() {
  const dispatch::Counts counts = dispatcher_.counts();
  if (counts.wanted > 0 || counts.starts > 1) {
    const std::size_t idle = processors_.idle(now());
    if (idle > 0) dispatcher_.processors_idle(idle, now());
  }
  if (++watches_ % kWatchesPerCallers == 0) cancel_abandoned();
}

// An invocation whose caller is gone gives up its place. One that has begun runs to its end.
void Fleet::cancel_abandoned() {
  std::vector<std::shared_ptr<Invocation>> abandoned;
  for (const auto& [id, invocation] : invocations_) {
    if (!invocation->begun && invocation->request.caller_is_gone && invocation->request.caller_is_gone()) {
      abandoned.push_back(invocation);
    }
  }
  for (const auto& invocation : abandoned) {
    const VersionId version = version_id(*invocation->request.function);
    if (!dispatcher_.cancel(invocation->id, version, now())) continue;
    invocations_.erase(key(invocation->id));
    invocation->answer.refusal = InvokeRefusal::kServiceUnavailable;
    release_version(version);
    invocation->let_go();
  }
}

}  // namespace ogni::service
