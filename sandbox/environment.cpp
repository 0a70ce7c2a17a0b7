#include "sandbox/environment.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "base/system.h"
#include "sandbox/cgroup_file.h"
#include "sandbox/wire.h"

namespace ogni::sandbox {

namespace {

Result<void> send(int control, const std::string& bytes) {
  if (bytes.size() > wire::kControlBytesMax) {
    return failure(ErrorCode::kTooLarge, "a program with this many arguments and variables cannot be started");
  }
  auto sent = send_message(control, bytes);
  if (!sent) return failure(ErrorCode::kUnavailable, "environment: " + sent.error().message());
  return {};
}

std::optional<std::uint64_t> number_in(int directory, const std::string& name) {
  const auto text = read_file_at(directory, name, 64);
  std::uint64_t value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

}  // namespace

Result<void> Environment::start(const Program& program) { return send(handles_.control.get(), wire::encode(program)); }

Environment::~Environment() {
  // Else what is killed with the environment would stay.
  if (frozen_ && handles_.freezer) [[maybe_unused]]
    const auto thawed = set_frozen(false);
}

Result<void> Environment::kill() {
  if (frozen_ && handles_.freeze_way == FreezeWay::kVersionOne) {
    if (auto thawed = thaw(); !thawed) return thawed;
  }
  return send(handles_.control.get(), wire::encode(wire::Kill{}));
}

Result<void> Environment::set_frozen(bool frozen) {
  std::string_view word = frozen ? "1" : "0";
  switch (handles_.freeze_way) {
    case FreezeWay::kSignals:
      return send(handles_.control.get(), frozen ? wire::encode(wire::Freeze{}) : wire::encode(wire::Thaw{}));
    case FreezeWay::kVersionOne:
      word = frozen ? "FROZEN" : "THAWED";
      break;
    case FreezeWay::kVersionTwo:
      break;
  }
  if (::pwrite(handles_.freezer.get(), word.data(), word.size(), 0) != static_cast<ssize_t>(word.size())) {
    return failure(ErrorCode::kUnavailable, Error::from_errno(frozen ? "freeze" : "thaw").message());
  }
  return {};
}

Result<void> Environment::freeze() {
  if (frozen_) return {};
  auto done = set_frozen(true);
  frozen_ = done.has_value();
  return done;
}

Result<void> Environment::thaw() {
  if (!frozen_) return {};
  auto done = set_frozen(false);
  frozen_ = !done.has_value();
  return done;
}

std::optional<std::chrono::nanoseconds> Environment::processor_time() const {
  if (!handles_.processor_time) return std::nullopt;
  std::array<char, 512> buffer;
  const ssize_t count = ::pread(handles_.processor_time.get(), buffer.data(), buffer.size(), 0);
  if (count <= 0) return std::nullopt;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(count));
  if (const auto microseconds = number_after("usage_usec", text)) return std::chrono::microseconds(*microseconds);
  std::uint64_t nanoseconds = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), nanoseconds).ec != std::errc()) return std::nullopt;
  return std::chrono::nanoseconds(nanoseconds);
}

void Environment::set_makes_way(bool makes_way) {
  if (makes_way == makes_way_ || !handles_.processor_idle) return;
  if (::pwrite(handles_.processor_idle.get(), makes_way ? "1" : "0", 1, 0) != 1) return;
  makes_way_ = makes_way;
  if (makes_way) return;
  const std::string weight = std::to_string(handles_.weight);
  [[maybe_unused]] const ssize_t written = ::pwrite(handles_.processor_weight.get(), weight.data(), weight.size(), 0);
}

Result<void> Environment::signal(int number) {
  return send(handles_.control.get(), wire::encode(wire::Signal{.number = number}));
}

Result<void> Environment::measure() { return send(handles_.control.get(), wire::encode(wire::Measure{})); }

Result<std::optional<Event>> Environment::receive() {
  auto message = receive_message(handles_.control.get(), 16 * 1024);
  if (!message) {
    if (message.error().system_error() == EAGAIN) return std::nullopt;
    return failure(ErrorCode::kUnavailable, "environment: " + message.error().message());
  }
  auto event = wire::decode_event(*message);
  if (!event) return failure(ErrorCode::kUnavailable, "environment: an event that is none");
  if (auto* exited = std::get_if<Exited>(&*event)) {
    const std::uint64_t kills = oom_kills();
    exited->out_of_memory = exited->out_of_memory || kills > oom_kills_seen_;
    oom_kills_seen_ = kills;
  }
  return event;
}

Result<std::uint64_t> Environment::memory_bytes() const {
  if (!handles_.memory_stat) return failure(ErrorCode::kNotFound, "no memory cgroup");
  std::array<char, 8192> buffer;
  const ssize_t count = ::pread(handles_.memory_stat.get(), buffer.data(), buffer.size(), 0);
  if (count < 0) return failure(Error::from_errno("read memory.stat"));
  const std::string_view text(buffer.data(), static_cast<std::size_t>(count));
  const auto anonymous = anonymous_bytes(text);
  const auto shared = number_after("shmem", text);
  if (!anonymous || !shared) return failure(ErrorCode::kIo, "memory.stat does not tell what is in use");
  return *anonymous + *shared;
}

Result<std::uint64_t> Environment::memory_peak_bytes() const {
  auto in_use = memory_bytes();
  if (!in_use || !handles_.cgroup) return in_use;
  const int directory = handles_.cgroup.get();
  auto peak = number_in(directory, "memory.peak");
  if (!peak) peak = number_in(directory, "memory.max_usage_in_bytes");
  auto total = number_in(directory, "memory.current");
  if (!total) total = number_in(directory, "memory.usage_in_bytes");
  if (!peak || !total || *peak <= *total) return in_use;
  // Both count pages of files and of the kernel too, of which there are about as many now as there were then.
  return *in_use + (*peak - *total);
}

std::uint64_t Environment::oom_kills() const {
  if (!handles_.cgroup) return 0;
  for (const char* name : {"memory.events", "memory.oom_control"}) {
    const auto text = read_file_at(handles_.cgroup.get(), name, 4096);
    if (text) return number_after("oom_kill", *text).value_or(0);
  }
  return 0;
}

}  // namespace ogni::sandbox
