// All execution environments: performs the dispatcher's commands and feeds it what happens.
//
// Everything here runs on the reactor thread. The way of a warm invocation: invoke() → Dispatcher → deliver() to an
// environment's waiting poll; its answer → Dispatcher → the caller is resumed; its next poll → Dispatcher → END, REPORT.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalogue/code_store.h"
#include "dispatch/dispatcher.h"
#include "protocol/arn.h"
#include "sandbox/launcher.h"
#include "service/invocation/execution_environment.h"
#include "service/invocation/invoker.h"
#include "service/invocation/processors.h"
#include "service/invocation/runtime_directories.h"
#include "service/roots.h"
#include "service/settings.h"

namespace ogni::service {

class Fleet final : public Invoker, private ExecutionEnvironment::Observer {
 public:
  struct Options {
    sandbox::Strength strength = sandbox::Strength::kNamespace;
    // starts_max 0 = two for each processor, and one for each held in reserve.
    dispatch::Limits limits;
    Settings::Network network = Settings::Network::kLoopback;
    bool processor_quota = false;  // else processor time is shared out by weight alone
    protocol::Home home;
    Fd runtime_directory;    // holds the bootstrap of managed runtimes (runtime_directories.h)
    Fd temporary_directory;  // kProcess: where each environment's /tmp is made
  };

  Fleet(boost::asio::io_context& context, sandbox::Launcher launcher, catalogue::CodeStore& code, Roots& roots,
        LogStore& logs, Options options);
  ~Fleet() override;

  // Begins to listen to the launcher. `launcher_lost` is called once, when it is gone: no environment is left then.
  void start(std::function<void()> launcher_lost);

  boost::asio::awaitable<InvokeAnswer> invoke(InvokeRequest request) override;
  void retire_older(std::uint64_t instance, std::uint64_t current_generation) override;
  void retire_all(std::uint64_t instance) override;

  // Refuses new invocations; environments end when their invocation has. `done` is called when none is left.
  void drain(std::function<void()> done);
  // Answers every caller that still waits: the service goes down before their functions have answered.
  void abandon();
  // Zips that living environments run or may still start, by SHA-256: also of functions that are deleted by now.
  std::vector<std::string> code_in_use() const;
  dispatch::Counts counts() const { return dispatcher_.counts(); }

 private:
  struct Version {
    std::shared_ptr<const catalogue::Function> function;
    std::shared_ptr<BodyRoom::Holder> room;
    std::size_t users = 0;  // invocations and environments
    bool retired = false;
    std::string problem;  // why its environments cannot be had, in words for the caller
  };
  using EnvironmentPointer = std::shared_ptr<ExecutionEnvironment>;
  struct Living {
    EnvironmentPointer environment;
    std::shared_ptr<const catalogue::Function> function;
    dispatch::VersionId version{};
    bool is_made = false;   // the launcher has answered
    RootPointer root;       // in use until the environment is gone
    std::string temporary;  // name below temporary_directory, to be removed
  };

  void environment_ready(dispatch::EnvironmentId id) override;
  void environment_answered(dispatch::EnvironmentId id) override;
  void environment_ended(dispatch::EnvironmentId id) override;
  void environment_gone(dispatch::EnvironmentId id) override;

  dispatch::VersionId learn_version(const std::shared_ptr<const catalogue::Function>& function);
  void retire(dispatch::VersionId id);
  void release_version(dispatch::VersionId id);

  void pump();
  void perform(const dispatch::StartEnvironment& command);
  void perform(const dispatch::RestartProgram& command);
  void perform(const dispatch::Deliver& command);
  void perform(const dispatch::Refuse& command);
  void perform(const dispatch::FailInvocation& command);
  void perform(const dispatch::FinishInvocation& command);
  void perform(const dispatch::ResetEnvironment& command);
  void perform(const dispatch::FreezeEnvironment& command);
  void perform(const dispatch::ThawEnvironment& command);
  void perform(const dispatch::StopEnvironment& command);

  void send_requests();
  Result<void> request_environment(dispatch::EnvironmentId id, Living& living);
  Result<void> use_host_paths(dispatch::EnvironmentId id, Living& living, sandbox::EnvironmentSpec& spec);
  Result<void> use_root(Living& living, sandbox::EnvironmentSpec& spec);
  void lose_all();
  void say_where_tmp_is();
  void ask_again_after_loss();
  bool may_leave(const catalogue::Function& function);
  void forget_environment(dispatch::EnvironmentId id);
  EnvironmentPointer find(dispatch::EnvironmentId id) const;
  void arm_timer();
  void arm_sampler();
  void arm_watch();
  void watch_waiting();
  void cancel_abandoned();
  boost::asio::awaitable<void> watch_launcher();

  boost::asio::io_context& context_;
  sandbox::Launcher launcher_;
  boost::asio::posix::stream_descriptor launcher_watch_;
  catalogue::CodeStore& code_;
  Roots& roots_;
  LogStore& logs_;
  Options options_;
  Processors processors_;
  RuntimeDirectories runtimes_;
  dispatch::Dispatcher dispatcher_;
  std::unordered_map<std::uint64_t, Living> environments_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Invocation>> invocations_;
  std::unordered_map<std::uint64_t, Version> versions_;
  std::unordered_map<std::uint64_t, std::set<dispatch::VersionId>> instances_;
  std::vector<dispatch::Command> commands_;    // the batch being performed
  std::vector<dispatch::EnvironmentId> gone_;  // to be forgotten when their commands have been performed
  MemoryLooks memory_looks_;
  std::shared_ptr<BodyRoom> room_ = std::make_shared<BodyRoom>();
  std::shared_ptr<Turns> turns_ = std::make_shared<Turns>(context_.get_executor());
  std::deque<dispatch::EnvironmentId> unrequested_;  // the launcher's queue was full
  std::uint64_t next_invocation_ = 1;
  bool said_where_tmp_is_ = false;
  bool pumping_ = false;
  std::set<std::uint64_t> told_of_network_;  // instances of functions; bounded
  boost::asio::steady_timer timer_;
  std::optional<dispatch::TimePoint> armed_;
  boost::asio::steady_timer sampler_;
  bool sampling_ = false;
  boost::asio::steady_timer watch_;  // of invocations that wait
  bool watching_ = false;
  std::uint64_t watches_ = 0;
  std::uint64_t ticks_ = 0;
  std::function<void()> launcher_lost_;
  std::function<void()> drained_;
};

}  // namespace ogni::service
