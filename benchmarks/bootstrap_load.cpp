// What the any-language bootstrap costs, beside what it is compared with in the same run: its own share of a cold start,
// the exec way beside fork and exec of the same program, the bash worker beside the classic bootstrap in bash and curl.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/fd.h"
#include "benchmarks/sockets.h"
#include "runtime/test_server.h"

namespace ogni::benchmarks {
namespace {

using Clock = std::chrono::steady_clock;
using Texts = std::vector<std::string>;

double microseconds(Clock::duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

double percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values.at(static_cast<std::size_t>(part * static_cast<double>(values.size() - 1)));
}

std::vector<char*> pointers(Texts& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// `errors` becomes the program's stderr.
pid_t start(Texts arguments, Texts environment, int errors) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  pid_t process = -1;
  const int failed = ::posix_spawn(&process, arguments[0].c_str(), &actions, nullptr, pointers(arguments).data(),
                                   pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) give_up(("start " + arguments[0]).c_str());
  return process;
}

// From here to the first instruction of the stamp program's main, started by `arguments`.
double time_to_stamp(const Texts& arguments, const Texts& environment) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) give_up("pipe");
  const Fd reading(ends[0]);
  const auto began = Clock::now();
  pid_t process;
  {
    const Fd writing(ends[1]);
    process = start(arguments, environment, writing.get());
  }
  std::string text;
  char buffer[256];
  for (ssize_t count; (count = ::read(reading.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  ::waitpid(process, nullptr, 0);
  const std::chrono::nanoseconds stamp(std::atoll(text.c_str()));
  if (stamp.count() == 0) give_up(("get a stamp: " + text).c_str());
  return microseconds(stamp - began.time_since_epoch());
}

double time_to_end(const Texts& arguments) {
  const auto began = Clock::now();
  const pid_t process = start(arguments, {}, STDERR_FILENO);
  ::waitpid(process, nullptr, 0);
  return microseconds(Clock::now() - began);
}

struct Times {
  std::vector<double> answer;  // from the event to the response
  std::vector<double> cycle;   // to the next poll
};

// A runtime that polls this program, until enough events have been answered.
Times serve(const Texts& arguments, Texts environment, const std::string& event, int count) {
  runtime::TestServer server;
  environment.push_back("AWS_LAMBDA_RUNTIME_API=" + server.address());
  const Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const pid_t process = start(arguments, environment, null.get());
  Times times;
  const int warm_up = std::max(1, count / 10);
  if (!server.read()) give_up(("see a poll of " + arguments.back()).c_str());
  for (int i = 0; i < count + warm_up; ++i) {
    const auto began = Clock::now();
    server.send_event("8476a536-e9f4-11e8-9739-2dfe598c3fcd", event);
    const auto response = server.read();
    const auto answered = Clock::now();
    if (!response || response->line().find("/response ") == std::string::npos) {
      give_up(("get a response: " + (response ? response->line() + response->body : "none")).c_str());
    }
    server.send_status("202 Accepted");
    if (!server.read()) give_up("see the next poll");
    if (i < warm_up) continue;
    times.answer.push_back(microseconds(answered - began));
    times.cycle.push_back(microseconds(Clock::now() - began));
  }
  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
  return times;
}

void print(const char* what, double value, const char* unit, const char* target = "") {
  std::printf("%-58s %10.1f %-3s %s\n", what, value, unit, target);
}

struct Options {
  std::string bin = "build/bin";
  std::string source = ".";
  int count = 2000;
};

void measure(const Options& options, const std::string& directory) {
  const std::string bootstrap = options.bin + "/bootstrap";
  const std::string stamp = options.bin + "/benchmarks/stamp";
  const Texts common = {"PATH=/usr/local/bin:/usr/bin:/bin", "LAMBDA_TASK_ROOT=" + directory, "_HANDLER=hello.handler"};
  const auto with = [&](const std::string& variable) {
    Texts result = common;
    result.push_back(variable);
    return result;
  };

  std::vector<double> direct;
  std::vector<double> through;
  Texts worker = with("OGNI_WORKER=" + stamp);
  worker.push_back("AWS_LAMBDA_RUNTIME_API=127.0.0.1:1");
  for (int i = 0; i < std::max(50, options.count / 10); ++i) {
    direct.push_back(time_to_stamp({stamp}, {}));
    through.push_back(time_to_stamp({bootstrap}, worker));
  }
  print("a static program: start to main, p50", percentile(direct, 0.5), "us");
  print("the same as a worker: start of bootstrap to its main, p50", percentile(through, 0.5), "us");
  print("bootstrap's own share of a cold start", percentile(through, 0.5) - percentile(direct, 0.5), "us",
        "under 2000");

  std::vector<double> alone;
  for (int i = 0; i < options.count; ++i) alone.push_back(time_to_end({"/bin/true"}));
  const Times exec = serve({bootstrap}, with("OGNI_EXEC_COMMAND=/bin/true"), "{}", options.count);
  print("/bin/true: fork, exec and wait, p50", percentile(alone, 0.5), "us");
  print("the same by the exec way: event to response, p50", percentile(exec.answer, 0.5), "us");
  print("exec way above fork and exec", percentile(exec.answer, 0.5) - percentile(alone, 0.5), "us", "at most 1000");

  const std::string event = "{\"name\":\"Ogni\"}";
  const Times bash = serve({bootstrap}, common, event, options.count);
  const Times classic = serve({"/bin/bash", options.source + "/bootstrap/default_bootstrap.sh"}, common, event,
                              std::max(20, options.count / 20));
  print("bash worker: event to response, p50", percentile(bash.answer, 0.5), "us");
  print("bash worker: event to next poll, p50", percentile(bash.cycle, 0.5), "us");
  print("classic bootstrap (bash, curl): event to response, p50", percentile(classic.answer, 0.5), "us");
  print("classic bootstrap (bash, curl): event to next poll, p50", percentile(classic.cycle, 0.5), "us");
  print("classic to worker, event to response", percentile(classic.answer, 0.5) / percentile(bash.answer, 0.5), "x",
        "at least 50, toward 200");
  print("classic to worker, event to next poll", percentile(classic.cycle, 0.5) / percentile(bash.cycle, 0.5), "x",
        "at least 50, toward 200");
}

}  // namespace
}  // namespace ogni::benchmarks

int main(int count, char** arguments) {
  ogni::benchmarks::Options options;
  CLI::App app(
      "Measures the any-language bootstrap.\n\nExample: build/bin/benchmarks/bootstrap_load --bin build/bin --source "
      ".");
  app.add_option("--bin", options.bin, "where the programs are")->check(CLI::ExistingDirectory)->capture_default_str();
  app.add_option("--source", options.source, "the project's folder")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--count", options.count, "invocations of each measurement")
      ->check(CLI::Range(50, 1000000))
      ->capture_default_str();
  CLI11_PARSE(app, count, arguments);
  options.bin = std::filesystem::absolute(options.bin);
  options.source = std::filesystem::absolute(options.source);

  char directory[] = "/tmp/ogni-bootstrap-load-XXXXXX";
  if (::mkdtemp(directory) == nullptr) ogni::benchmarks::give_up("make a directory");
  std::ofstream(std::string(directory) + "/hello.sh")
      << "handler() {\n  printf '{\"greeting\":\"Hello\",\"event\":%s}' \"$1\"\n}\n";
  ogni::benchmarks::measure(options, directory);
  std::filesystem::remove_all(directory);
  return 0;
}
