// ogni bench: response times of deployed functions, in fresh environments (cold) and back to back (warm).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cmath>
#include <memory>

#include "base/text.h"
#include "cli/output.h"
#include "cli/payload.h"
#include "cli/service_client.h"

namespace ogni::cli {
namespace {

constexpr int kCallsMax = 1'000'000;
constexpr std::chrono::seconds kInvokeMax{960};

struct BenchOptions {
  CommonOptions common;
  std::vector<std::string> names;
  std::string payload = "{}";
  int cold = 10;
  int warm = 100;
};

struct Times {
  std::string name;
  std::string runtime;
  std::vector<double> cold_ms;
  std::vector<double> warm_ms;
};

// The nearest rank: a time that was really measured. `share` in (0, 1].
double percentile(std::vector<double> times, double share) {
  if (times.empty()) return 0;
  std::ranges::sort(times);
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(times.size())));
  return times[std::clamp<std::size_t>(rank, 1, times.size()) - 1];
}

Outcome<double> timed_call(ServiceClient& service, const std::string& name, const std::string& payload) {
  const HttpRequest request{
      .method = "POST", .target = function_target(name, "/invocations"), .headers = {}, .body = payload};
  const auto begin = std::chrono::steady_clock::now();
  auto response = service.http().send(request, kInvokeMax);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  if (!response) return stop(to_failure(response.error()));
  if (response->status != 200) return stop(to_failure(*response));
  if (!response->header("X-Amz-Function-Error").empty()) {
    return stop(ExitCode::kFunctionError, "function '" + printable(name) +
                                              "' answered with an error: " + printable(response->body, 500) +
                                              ". Look at: ogni logs " + printable(name));
  }
  return took.count();
}

Outcome<json::object> set_description(ServiceClient& service, const std::string& name, const std::string& text) {
  auto changed = service.call("PUT", function_target(name, "/configuration"),
                              json::serialize(json::object{{"Description", text}}));
  if (!changed) return changed;
  return service.wait_until_settled(name);
}

// A changed configuration makes the service retire its environments: the next call starts a new one.
Outcome<void> measure_cold(ServiceClient& service, const BenchOptions& options, Times& times) {
  for (int i = 0; i < options.cold; ++i) {
    auto changed = set_description(service, times.name, fmt::format("being measured: cold start {}", i + 1));
    if (!changed) return stop(changed.error());
    auto took = timed_call(service, times.name, options.payload);
    if (!took) return stop(took.error());
    times.cold_ms.push_back(*took);
  }
  return {};
}

Outcome<void> measure_warm(ServiceClient& service, const BenchOptions& options, Times& times) {
  if (options.warm == 0) return {};
  if (auto first = timed_call(service, times.name, options.payload); !first) return stop(first.error());
  for (int i = 0; i < options.warm; ++i) {
    auto took = timed_call(service, times.name, options.payload);
    if (!took) return stop(took.error());
    times.warm_ms.push_back(*took);
  }
  return {};
}

Outcome<Times> measure(ServiceClient& service, const BenchOptions& options, const std::string& name) {
  auto configuration = service.wait_until_settled(name);
  if (!configuration) return stop(configuration.error());
  Times times{.name = name, .runtime = text_of(*configuration, "Runtime"), .cold_ms = {}, .warm_ms = {}};
  auto cold = measure_cold(service, options, times);
  auto warm = cold ? measure_warm(service, options, times) : cold;
  if (options.cold > 0) {
    auto restored = set_description(service, name, text_of(*configuration, "Description"));
    if (warm && !restored) return stop(restored.error());
  }
  if (!warm) return stop(warm.error());
  return times;
}

struct Summary {
  double cold_p50 = 0, warm_p50 = 0, warm_p99 = 0, ratio = 0;
};

// The ratio compares warm p50, or cold p50 where only that was measured, with the fastest function's.
std::vector<Summary> summarize(const std::vector<Times>& all) {
  std::vector<Summary> summaries;
  double fastest = 0;
  for (const Times& times : all) {
    Summary s{.cold_p50 = percentile(times.cold_ms, 0.5),
              .warm_p50 = percentile(times.warm_ms, 0.5),
              .warm_p99 = percentile(times.warm_ms, 0.99)};
    s.ratio = times.warm_ms.empty() ? s.cold_p50 : s.warm_p50;
    if (fastest == 0 || s.ratio < fastest) fastest = s.ratio;
    summaries.push_back(s);
  }
  for (Summary& s : summaries) s.ratio = fastest > 0 ? s.ratio / fastest : 0;
  return summaries;
}

json::value measured(const std::vector<double>& times, double value) {
  return times.empty() ? json::value() : json::value(value);
}

// What the service says of how it shares out processor time, since times depend on it. Empty where it does not say: AWS.
std::string processor_policy(ServiceClient& service) {
  auto health = service.http().send({.method = "GET", .target = "/healthz", .headers = {}, .body = {}});
  return health && health->status == 200 ? std::string(health->header("Ogni-Processor-Time")) : std::string();
}

void print_json(const std::vector<Times>& all, const std::string& policy, const BenchOptions& options) {
  const std::vector<Summary> summaries = summarize(all);
  json::array functions;
  for (std::size_t i = 0; i < all.size(); ++i) {
    functions.push_back(json::object{{"name", all[i].name},
                                     {"runtime", all[i].runtime},
                                     {"cold_p50_ms", measured(all[i].cold_ms, summaries[i].cold_p50)},
                                     {"warm_p50_ms", measured(all[i].warm_ms, summaries[i].warm_p50)},
                                     {"warm_p99_ms", measured(all[i].warm_ms, summaries[i].warm_p99)},
                                     {"ratio_to_fastest", summaries[i].ratio}});
  }
  print_line(json::serialize(json::object{{"cold_calls", options.cold},
                                          {"warm_calls", options.warm},
                                          {"processor_time", policy.empty() ? json::value() : json::value(policy)},
                                          {"functions", std::move(functions)}}));
}

void print_table(const std::vector<Times>& all, const std::string& policy) {
  const auto shown = [](const std::vector<double>& times, double ms) {
    return times.empty() ? std::string("-") : fmt::format("{:.3f} ms", ms);
  };
  const std::vector<Summary> summaries = summarize(all);
  std::vector<std::vector<std::string>> rows{{"FUNCTION", "RUNTIME", "COLD p50", "WARM p50", "WARM p99", "TO FASTEST"}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    rows.push_back({printable(all[i].name), printable(all[i].runtime), shown(all[i].cold_ms, summaries[i].cold_p50),
                    shown(all[i].warm_ms, summaries[i].warm_p50), shown(all[i].warm_ms, summaries[i].warm_p99),
                    fmt::format("{:.2f} x", summaries[i].ratio)});
  }
  print(table(rows, 4));
  if (!policy.empty()) print_line("\nProcessor time: " + printable(policy));
}

Outcome<ExitCode> bench(BenchOptions options) {
  auto service = ServiceClient::open(options.common);
  if (!service) return stop(service.error());
  auto payload = read_payload(options.payload);
  if (!payload) return stop(payload.error());
  options.payload = std::move(*payload);
  const std::string policy = processor_policy(*service);
  std::vector<Times> all;
  for (const std::string& name : options.names) {
    if (is_terminal(STDERR_FILENO))
      note(fmt::format("measuring {}: {} cold, {} warm", printable(name), options.cold, options.warm));
    auto times = measure(*service, options, name);
    if (!times) return stop(times.error());
    all.push_back(std::move(*times));
  }
  if (options.common.wants_json()) {
    print_json(all, policy, options);
  } else {
    print_table(all, policy);
  }
  return ExitCode::kOk;
}

}  // namespace

void add_bench(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Measure the response times of deployed functions");
  command->add_option("NAME", options->names, "The functions")->required();
  command->add_option("--cold", options->cold, "Calls in fresh environments")
      ->check(CLI::Range(0, kCallsMax))
      ->capture_default_str();
  command->add_option("--warm", options->warm, "Calls back to back on one connection")
      ->check(CLI::Range(0, kCallsMax))
      ->capture_default_str();
  command->add_option("-p,--payload", options->payload, "The event: JSON, @FILE, or -")->capture_default_str();
  add_endpoint_option(*command, options->common);
  add_output_option(*command, options->common);
  command->footer(
      "A cold call follows a change of the function's description, which retires its environments; the\n"
      "description is put back at the end. Times are those of the caller, HTTP included.\n"
      "\n"
      "Example:\n  ogni bench hello-bash hello-cpp --cold 30 --warm 200");
  command->callback([options, &chosen] { chosen.run = [options] { return bench(*options); }; });
}

}  // namespace ogni::cli
