#include <benchmark/benchmark.h>

#include "base/temporary_directory.h"
#include "catalogue/catalogue.h"
#include "catalogue/code_store.h"
#include "catalogue/test_zip.h"

namespace ogni::catalogue {
namespace {

constexpr int kFunctions = 1000;

CodeReference some_code() { return {.sha256_hex = std::string(64, 'a'), .zip_bytes = 1, .unzipped_bytes = 1}; }

void fill(Catalogue& catalogue) {
  for (int i = 0; i < kFunctions; ++i) {
    auto created = catalogue.create_function("f" + std::to_string(i), {}, some_code(), {}).value();
    (void)catalogue.complete_function(created.instance).value();
  }
}

void BM_OpenWithThousandFunctions(benchmark::State& state) {
  const TemporaryDirectory directory;
  fill(*Catalogue::open(directory.descriptor()).value());
  for (auto _ : state) benchmark::DoNotOptimize(Catalogue::open(directory.descriptor()));
}
BENCHMARK(BM_OpenWithThousandFunctions)->Unit(benchmark::kMillisecond);

void BM_CreateAndDeleteFunction(benchmark::State& state) {
  const TemporaryDirectory directory;
  auto catalogue = Catalogue::open(directory.descriptor()).value();
  for (auto _ : state) {
    benchmark::DoNotOptimize(catalogue->create_function("f", {}, some_code(), {}));
    benchmark::DoNotOptimize(catalogue->delete_function("f"));
  }
}
BENCHMARK(BM_CreateAndDeleteFunction)->Unit(benchmark::kMicrosecond);

void BM_ReadFunction(benchmark::State& state) {
  const TemporaryDirectory directory;
  auto catalogue = Catalogue::open(directory.descriptor()).value();
  fill(*catalogue);
  for (auto _ : state) benchmark::DoNotOptimize(catalogue->function("f500"));
}
BENCHMARK(BM_ReadFunction)->Unit(benchmark::kMicrosecond);

// A new zip each time, synced; the argument is its files of 4 KiB.
void BM_AddZip(benchmark::State& state) {
  const TemporaryDirectory directory;
  auto store = CodeStore::open(directory.descriptor(), {.unzipped_bytes_max = 1 << 30, .entries_max = 100'000}).value();
  int round = 0;
  for (auto _ : state) {
    state.PauseTiming();
    TestZip zip;
    for (int i = 0; i < state.range(0); ++i) {
      zip.add({.name = "d" + std::to_string(i / 50) + "/f" + std::to_string(i),
               .content = std::string(4096, 'x') + std::to_string(round)});
    }
    const std::string bytes = zip.bytes();
    ++round;
    state.ResumeTiming();
    benchmark::DoNotOptimize(store->add(bytes));
  }
}
BENCHMARK(BM_AddZip)->Arg(1)->Arg(10)->Arg(64)->Arg(65)->Arg(1000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ogni::catalogue
