// What typed events cost a function: reading AWS's samples and writing them again, beside an independent JSON library that
// reads them into its own tree, where there is one.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>
#endif

#include "embedded/samples.h"
#include "ogni/events.hpp"

namespace {

using namespace ogni::events;

template <class Event>
void read(benchmark::State& state, std::string_view name) {
  const std::string_view text = ogni::embedded::sample(name);
  for (auto _ : state) benchmark::DoNotOptimize(parse<Event>(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

template <class Event>
void write(benchmark::State& state, std::string_view name) {
  const auto event = parse<Event>(ogni::embedded::sample(name));
  std::size_t bytes = 0;
  for (auto _ : state) bytes += to_json(event).size();
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

void BM_JsonRead(benchmark::State& state, std::string_view name) {
  const std::string_view text = ogni::embedded::sample(name);
  for (auto _ : state) benchmark::DoNotOptimize(ogni::json::parse(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

#if __has_include(<nlohmann/json.hpp>)
// It refuses the one sample with a number beyond a double's range, which is not used here.
void BM_OtherJsonRead(benchmark::State& state, std::string_view name) {
  const std::string_view text = ogni::embedded::sample(name);
  for (auto _ : state) benchmark::DoNotOptimize(nlohmann::json::parse(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK_CAPTURE(BM_OtherJsonRead, api_gateway_v2, "api_gateway_v2");
BENCHMARK_CAPTURE(BM_OtherJsonRead, dynamodb, "dynamodb");
#endif

void BM_JsonReadAndWriteLargeText(benchmark::State& state) {
  const std::string text = '"' + std::string(static_cast<std::size_t>(state.range(0)), 'x') + '"';
  for (auto _ : state) benchmark::DoNotOptimize(ogni::json::write(ogni::json::parse(text)));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_JsonReadAndWriteLargeText)->Arg(1 << 20);

BENCHMARK_CAPTURE(BM_JsonRead, api_gateway_v2, "api_gateway_v2");
BENCHMARK_CAPTURE(BM_JsonRead, dynamodb, "dynamodb");
void BM_ReadHttpApiRequest(benchmark::State& state) { read<HttpApiRequest>(state, "api_gateway_v2"); }
BENCHMARK(BM_ReadHttpApiRequest);
void BM_ReadSqsEvent(benchmark::State& state) { read<SqsEvent>(state, "sqs"); }
BENCHMARK(BM_ReadSqsEvent);
void BM_ReadDynamoDbEvent(benchmark::State& state) { read<DynamoDbEvent>(state, "dynamodb"); }
BENCHMARK(BM_ReadDynamoDbEvent);
void BM_WriteHttpApiRequest(benchmark::State& state) { write<HttpApiRequest>(state, "api_gateway_v2"); }
BENCHMARK(BM_WriteHttpApiRequest);
void BM_WriteSqsEvent(benchmark::State& state) { write<SqsEvent>(state, "sqs"); }
BENCHMARK(BM_WriteSqsEvent);

}  // namespace
