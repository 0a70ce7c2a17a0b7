// What a decision costs. The warm cycle is invoke, take the Deliver, answered, ready, take the FinishInvocation.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "dispatch/dispatcher.h"

namespace ogni::dispatch {
namespace {

using std::chrono::microseconds;

// A dispatcher with `environments` of one version each busy with an invocation, but one that is idle.
class Fleet {
 public:
  explicit Fleet(std::size_t environments)
      : dispatcher_({.concurrency_max = environments + 1,
                     .environments_max = environments + 1,
                     .idle_max = std::chrono::hours(1000)}) {
    dispatcher_.add_version({.id = VersionId{1}, .timeout = std::chrono::hours(100)});
    for (std::size_t i = 0; i < environments; ++i) invoke();
    dispatcher_.take_commands(commands_);
    for (std::uint64_t id = 1; id <= environments; ++id) dispatcher_.ready(EnvironmentId{id}, now_);
    dispatcher_.take_commands(commands_);
  }

  void invoke() { dispatcher_.invoke(InvocationId{++last_}, VersionId{1}, now_ += microseconds(1)); }

  void end(EnvironmentId id) {
    dispatcher_.answered(id, now_ += microseconds(1));
    dispatcher_.ready(id, now_ += microseconds(1));
  }

  EnvironmentId taken() {
    dispatcher_.take_commands(commands_);
    return std::get<Deliver>(commands_.back()).environment;
  }

  void forget_commands() { dispatcher_.take_commands(commands_); }

  Dispatcher& dispatcher() { return dispatcher_; }
  TimePoint now() const { return now_; }

 private:
  Dispatcher dispatcher_;
  std::vector<Command> commands_;
  TimePoint now_{std::chrono::hours(1)};
  std::uint64_t last_ = 0;
};

// One environment after the other answers and takes the next invocation, while all others stay busy.
void BM_DispatcherWarmCycle(benchmark::State& state) {
  const auto environments = static_cast<std::uint64_t>(state.range(0));
  Fleet fleet(environments);
  std::uint64_t id = 0;
  for (auto _ : state) {
    // A stride that visits all: the caches get no help from the order of the ids.
    id = (id + 7919) % environments;
    fleet.end(EnvironmentId{id + 1});
    fleet.forget_commands();
    fleet.invoke();
    benchmark::DoNotOptimize(fleet.taken());
    benchmark::DoNotOptimize(fleet.dispatcher().next_deadline());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_DispatcherWarmCycle)->Arg(1)->Arg(1'000)->Arg(100'000);

// The next invocation overtakes the poll: it waits in grace and is delivered by it.
void BM_DispatcherGraceCycle(benchmark::State& state) {
  Fleet fleet(1);
  for (auto _ : state) {
    fleet.dispatcher().answered(EnvironmentId{1}, fleet.now());
    fleet.invoke();
    fleet.dispatcher().ready(EnvironmentId{1}, fleet.now());
    benchmark::DoNotOptimize(fleet.taken());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_DispatcherGraceCycle);

// 100,000 environments start, become ready, serve, and all of them are reaped.
void BM_DispatcherLifeOfAnEnvironment(benchmark::State& state) {
  const auto environments = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    Fleet fleet(environments);
    for (std::uint64_t id = 1; id <= environments; ++id) fleet.end(EnvironmentId{id});
    fleet.dispatcher().advance(fleet.now() + std::chrono::hours(1001));
    fleet.forget_commands();
    if (fleet.dispatcher().counts().environments != 0) state.SkipWithError("environments are left");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_DispatcherLifeOfAnEnvironment)->Arg(1'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ogni::dispatch
