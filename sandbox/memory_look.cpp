#include "sandbox/memory_look.h"

#include <fcntl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/system.h"

namespace ogni::sandbox {

namespace {

// Fewer sockets hold too little to be looked at one by one, which takes the kernel a walk over those of all namespaces.
constexpr std::uint64_t kFewSockets = 32;
constexpr std::uint64_t kNetlinkBytesMax = 16 << 20;
constexpr std::chrono::nanoseconds kCountingMin = std::chrono::milliseconds(50);
constexpr std::uint64_t kCountingOfPageNs = 100;  // several times what it takes where areas are not tiny
constexpr std::uint64_t kPageBytes = 4096;
// What is in a pipe cannot be seen: a process that has very many descriptors is taken to have that many ends of pipes, of the
// 8 KiB that the kernel gives to a user who has many.
constexpr std::uint64_t kSlotBytes = 4096;

// Of this process, so that a machine that has no time for it does not count.
std::chrono::nanoseconds processor_time() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Calls `take` with the fields of each line but the first, in bounded memory.
template <typename Take>
void for_each_line(const char* path, Take take) {
  const auto file = open_file(path, O_RDONLY);
  if (!file) return;
  std::vector<char> block(32 << 10);
  std::string line;
  bool is_first = true;
  for (;;) {
    const ssize_t size = ::read(file->get(), block.data(), block.size());
    if (size <= 0) return;
    for (const char byte : std::string_view(block.data(), static_cast<std::size_t>(size))) {
      if (byte != '\n') {
        line += byte;
        continue;
      }
      if (!std::exchange(is_first, false)) {
        std::istringstream fields(line);
        take(fields);
      }
      line.clear();
    }
  }
}

// "sockets: used 12": in this network namespace.
std::uint64_t count_sockets() {
  const auto text = read_file("/proc/net/sockstat", 4096);
  constexpr std::string_view kUsed = "used ";
  const std::size_t found = text ? text->find(kUsed) : std::string::npos;
  return found == std::string::npos ? 0 : std::strtoull(text->c_str() + found + kUsed.size(), nullptr, 10);
}

std::uint64_t netlink_bytes() {
  std::uint64_t bytes = 0;
  for_each_line("/proc/net/netlink", [&](std::istringstream& fields) {
    std::string skip;
    std::uint64_t received = 0;
    if (fields >> skip >> skip >> skip >> skip >> received) bytes += received;
  });
  return bytes;
}

// What has been sent and not acknowledged, and received and not read.
std::uint64_t internet_bytes() {
  std::uint64_t bytes = 0;
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6"}) {
    for_each_line(path, [&](std::istringstream& fields) {
      std::string skip, queues;
      if (!(fields >> skip >> skip >> skip >> skip >> queues)) return;
      const std::size_t colon = queues.find(':');
      if (colon == std::string::npos) return;
      bytes += std::strtoull(queues.c_str(), nullptr, 16) + std::strtoull(queues.c_str() + colon + 1, nullptr, 16);
    });
  }
  return bytes;
}

}  // namespace

bool MemoryLook::is_above(std::uint64_t limit) {
  const auto begin = processor_time();
  const bool above = is_above_now(limit);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(processor_time() - begin);
  pause_ = std::max(kPauseLeast, 4 * took);
  return above;
}

bool MemoryLook::is_above_now(std::uint64_t limit) {
  const bool has_many_sockets = reach_ == Reach::kNamespace && count_sockets() > kFewSockets;
  const Resident all = sum_resident(reach_);
  const std::uint64_t apart = all.page_table_bytes + all.descriptor_slots * kSlotBytes +
                              (has_many_sockets ? internet_bytes() + netlink_bytes() : 0);
  if (all.bytes + apart <= limit) return false;
  if (apart > limit) return true;
  const auto enough = std::max(kCountingMin, std::chrono::nanoseconds(all.bytes / kPageBytes * kCountingOfPageNs));
  const auto end = processor_time() + enough;
  const auto pss = sum_pss_bytes(reach_, [end] { return processor_time() < end; });
  return !pss || *pss + apart > limit;
}

bool netlink_holds_too_much() { return count_sockets() > kFewSockets && netlink_bytes() > kNetlinkBytesMax; }

}  // namespace ogni::sandbox
