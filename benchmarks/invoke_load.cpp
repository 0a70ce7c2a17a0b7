// Invokes a deployed echo function of a running service and prints how long that takes.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "benchmarks/load_client.h"

int main(int argc, char** argv) {
  using namespace ogni::benchmarks;
  CLI::App app(
      "Invokes an echo function and prints p50, p99 and rate.\n"
      "Example: invoke_load --port 4566 --function hello-cpp --connections 64 --requests 100000");
  Load load;
  bool json = false;
  app.add_option("--port", load.port, "Port of the service on 127.0.0.1")->required();
  app.add_option("--function", load.function, "Name of the function")->required();
  app.add_option("--connections", load.connections)->check(CLI::Range(1, 1000));
  app.add_option("--requests", load.requests)->check(CLI::Range(1, 100'000'000));
  app.add_option("--payload-bytes", load.payload_bytes)->check(CLI::Range(2, 6'291'456));
  app.add_flag("--json", json, "One JSON object");
  CLI11_PARSE(app, argc, argv);

  const LoadResult result = run_load(load);
  std::puts(describe("invoke", load, result, json ? Format::kJson : Format::kText).c_str());
  if (result.failures > 0) std::fprintf(stderr, "first failure: %s\n", result.first_failure.c_str());
  return result.failures == 0 ? 0 : 1;
}
