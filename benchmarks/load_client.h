// A bare client of the Invoke API that measures: each connection sends its next request when the answer to the last one
// is complete. One thread; blocking at one connection, epoll at more. Any answer that is not the expected one counts as
// a failure, so a fast wrong answer cannot pass for a good figure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ogni::benchmarks {

struct Load {
  std::uint16_t port = 0;  // on 127.0.0.1
  std::string function = "hello";
  std::size_t connections = 1;
  std::size_t requests = 10'000;  // measured; a tenth of them comes before as warm-up
  std::size_t payload_bytes = 20;
};

struct LoadResult {
  std::vector<std::chrono::nanoseconds> latencies;  // sorted
  double seconds = 0;
  std::size_t failures = 0;
  std::string first_failure;

  double percentile_us(double percent) const;
  double rate() const;
};

// A JSON string of exactly that many bytes (at least 2): a payload that an echo returns as it is.
std::string payload_of(std::size_t bytes);
// The request of an SDK, signature included (of no value here).
std::string invoke_request(const std::string& function, std::size_t payload_bytes);

LoadResult run_load(const Load& load);

// One line of a table, or one object of a JSON array.
enum class Format { kText, kJson };
std::string describe(const std::string& name, const Load& load, const LoadResult& result, Format format);

}  // namespace ogni::benchmarks
