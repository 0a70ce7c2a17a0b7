// What an environment costs, beside the floor: the same namespaces and an exec, and nothing else.
//
// Run as it comes and with `taskset -c 0`: on small virtual machines a wake-up across CPUs hides much of the rest.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/system.h"
#include "sandbox/environment.h"
#include "sandbox/kernel.h"
#include "sandbox/launcher.h"

namespace ogni::sandbox {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);

std::filesystem::path beside(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / name;
}

std::optional<Launcher> start_launcher(benchmark::State& state, Strength strength) {
  auto program = open_file(beside("ogni-launcher"), O_RDONLY);
  if (!program) {
    state.SkipWithError(program.error().message().c_str());
    return std::nullopt;
  }
  Launcher::Options options;
  options.strength = strength;
  options.tag = "bench";
  options.program = program->get();
  auto launcher = Launcher::start(options);
  if (!launcher) {
    state.SkipWithError(launcher.error().message().c_str());
    return std::nullopt;
  }
  return std::move(*launcher);
}

std::optional<Event> wait_event(Environment& environment) {
  if (!wait_readable(environment.descriptor(), kPatience)) return std::nullopt;
  auto event = environment.receive();
  return event && *event ? std::move(*event) : std::nullopt;
}

std::optional<Environment> make(Launcher& launcher, const EnvironmentSpec& spec) {
  if (!launcher.request(spec) || !wait_readable(launcher.descriptor(), kPatience)) return std::nullopt;
  auto reply = launcher.receive();
  if (!reply || !*reply || !(*reply)->environment) return std::nullopt;
  return std::move(*(*reply)->environment);
}

// A request until the environment listens, and with `runs` a program's start and end as well.
void environment_life(benchmark::State& state, Strength strength, bool runs) {
  auto launcher = start_launcher(state, strength);
  if (!launcher) return;
  auto code = open_file(beside("benchmarks"), O_PATH | O_DIRECTORY);
  if (!code) return state.SkipWithError("no code");
  const std::string directory = strength == Strength::kNamespace ? "/var/task" : beside("benchmarks").string();
  const Program program{.candidates = {directory + "/sandbox_bench_noop"},
                        .arguments = {},
                        .variables = {"PATH=/usr/bin"},
                        .working_directory = directory};
  EnvironmentSpec spec{.strength = strength, .memory_bytes = 128 << 20, .tmp_bytes = 512 << 20, .task = code->get()};
  for (auto _ : state) {
    ++spec.id;
    auto environment = make(*launcher, spec);
    if (!environment) return state.SkipWithError("not made");
    // The order of a cold start: the program is asked for before the environment is ready.
    if (runs && !environment->start(program)) return state.SkipWithError("not started");
    auto first = wait_event(*environment);
    if (!first || !std::holds_alternative<Listening>(*first)) return state.SkipWithError("does not listen");
    if (runs) {
      auto last = wait_event(*environment);
      if (!last || !std::holds_alternative<Exited>(*last)) return state.SkipWithError("did not exit");
    }
    state.PauseTiming();
    const Fd process(::fcntl(environment->process_descriptor(), F_DUPFD_CLOEXEC, 0));
    environment.reset();
    (void)wait_readable(process.get(), kPatience);
    state.ResumeTiming();
  }
}

void BM_NamespaceUntilItListens(benchmark::State& state) { environment_life(state, Strength::kNamespace, false); }
void BM_NamespaceUntilItsProgramEnded(benchmark::State& state) { environment_life(state, Strength::kNamespace, true); }
void BM_ProcessUntilItListens(benchmark::State& state) { environment_life(state, Strength::kProcess, false); }
void BM_ProcessUntilItsProgramEnded(benchmark::State& state) { environment_life(state, Strength::kProcess, true); }

// The floor: fork into `flags`, exec, wait.
void fork_exec(benchmark::State& state, std::uint64_t flags) {
  const std::string program = beside("benchmarks/sandbox_bench_noop");
  for (auto _ : state) {
    auto child = fork_into(flags, -1);
    if (!child) return state.SkipWithError(child.error().message().c_str());
    if (child->pid == 0) {
      ::execl(program.c_str(), program.c_str(), nullptr);
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(child->pid, &status, 0);
    if (status != 0) return state.SkipWithError("the program failed");
  }
}

void BM_FloorForkExec(benchmark::State& state) { fork_exec(state, 0); }
void BM_FloorNamespacesExec(benchmark::State& state) {
  fork_exec(state, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
}

BENCHMARK(BM_FloorForkExec)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(BM_FloorNamespacesExec)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(BM_NamespaceUntilItListens)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(BM_NamespaceUntilItsProgramEnded)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(BM_ProcessUntilItListens)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(BM_ProcessUntilItsProgramEnded)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace ogni::sandbox
