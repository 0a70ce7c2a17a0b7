#include <benchmark/benchmark.h>

#include "service/api/payload.h"

namespace ogni::service {
namespace {

void check(benchmark::State& state, const std::string& payload) {
  for (auto _ : state) {
    auto checked = check_payload(payload);
    benchmark::DoNotOptimize(checked);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(payload.size()));
}

void BM_CheckPayloadOfOneString(benchmark::State& state) {
  check(state, '"' + std::string(static_cast<std::size_t>(state.range(0)), 'x') + '"');
}
BENCHMARK(BM_CheckPayloadOfOneString)->Arg(18)->Arg(1 << 20);

void BM_CheckPayloadOfUtf8(benchmark::State& state) {
  std::string payload = "\"";
  while (payload.size() < static_cast<std::size_t>(state.range(0))) payload += "grün und ";
  check(state, payload + '"');
}
BENCHMARK(BM_CheckPayloadOfUtf8)->Arg(1 << 20);

void BM_CheckPayloadOfRecords(benchmark::State& state) {
  std::string payload = "[";
  while (payload.size() < static_cast<std::size_t>(state.range(0))) {
    payload += R"({"id":12345,"name":"somebody","tags":["a","b"],"ratio":0.25,"ok":true},)";
  }
  payload.back() = ']';
  check(state, payload);
}
BENCHMARK(BM_CheckPayloadOfRecords)->Arg(1 << 20);

}  // namespace
}  // namespace ogni::service
