#include "service/logs/log_reader.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ogni::service {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kDrainBytesMax = (1 << 20) + LogReader::kReadBytes;  // the pipe, and what was read of it

}  // namespace

// Only where all that was read before is taken.
LogReader::Read LogReader::fill() {
  if (descriptor_ < 0) return Read::kNothing;
  std::array<char, kReadBytes> bytes;
  ssize_t count = 0;
  do {
    count = ::read(descriptor_, bytes.data(), bytes.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return Read::kNothing;
  if (count == 0) return Read::kEnd;
  rest_.assign(bytes.data(), static_cast<std::size_t>(count));
  rest_begin_ = 0;
  return Read::kSome;
}

// Returns how many lines it was.
std::size_t LogReader::take(std::size_t lines_max) {
  const auto taken = log_.output(std::string_view(rest_).substr(rest_begin_), lines_max);
  rest_begin_ += taken.bytes;
  taken_ += taken.bytes;
  if (rest_begin_ == rest_.size()) {
    rest_begin_ = 0;
    rest_.clear();
    if (rest_.capacity() > 4096) std::string().swap(rest_);
  }
  turns_->charge(static_cast<int>(1 + taken.lines + taken.bytes / kBytesPerUnit));
  return taken.lines;
}

asio::awaitable<LogReader::Read> LogReader::work() {
  if (rest_.empty()) {
    const Read read = fill();
    if (read != Read::kSome) co_return read;
  }
  co_await turns_->turn();
  take(kLinesPerTurn);
  co_return Read::kSome;
}

bool LogReader::drain(std::size_t lines_max) {
  const std::uint64_t bytes_max = taken_ + kDrainBytesMax;
  while (lines_max > 0 && taken_ < bytes_max) {
    if (rest_.empty() && fill() != Read::kSome) return true;
    lines_max -= take(lines_max);
  }
  return waiting() == 0;
}

asio::awaitable<void> LogReader::drain_in_turns() {
  const std::uint64_t until = taken_ + waiting();
  while (taken_ < until) {
    if (co_await work() != Read::kSome) co_return;
  }
}

std::size_t LogReader::waiting() const {
  int in_pipe = 0;
  if (descriptor_ < 0 || ::ioctl(descriptor_, FIONREAD, &in_pipe) != 0) in_pipe = 0;
  return rest_.size() - rest_begin_ + static_cast<std::size_t>(in_pipe);
}

}  // namespace ogni::service
