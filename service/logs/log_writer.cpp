#include "service/logs/log_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/system.h"

namespace ogni::service {

namespace {

// The last `bytes_max` bytes of a file, from the start of a line; nothing for a file that is not there.
Result<std::string> file_tail(int directory, const std::string& name, std::size_t bytes_max) {
  auto file = open_at(directory, name, O_RDONLY | O_NOFOLLOW);
  if (!file) {
    if (file.error().system_error() == ENOENT) return std::string();
    return failure(std::move(file).error());
  }
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return failure(Error::from_errno("stat " + name));
  const auto size = static_cast<std::size_t>(status.st_size);
  const std::size_t wanted = std::min(size, bytes_max);
  std::string text(wanted, '\0');
  const ssize_t count = ::pread(file->get(), text.data(), wanted, static_cast<off_t>(size - wanted));
  if (count < 0) return failure(Error::from_errno("read " + name));
  text.resize(static_cast<std::size_t>(count));
  if (wanted < size) text.erase(0, text.find('\n') + 1);
  return text;
}

}  // namespace

LogWriter::LogWriter(Fd directory) : directory_(std::move(directory)), thread_([this] { run(); }) {}

LogWriter::~LogWriter() {
  {
    const std::scoped_lock lock(mutex_);
    ends_ = true;
  }
  arrival_.notify_one();
  thread_.join();
}

void LogWriter::run() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      arrival_.wait(lock, [this] { return ends_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

void LogWriter::tell_of_loss(const std::string& why) {
  const std::scoped_lock lock(mutex_);
  if (!std::exchange(loses_, true)) spdlog::error("function logs are being lost: {}", why);
}

void LogWriter::write(std::string function, std::string lines) {
  const std::size_t size = lines.size();
  bool is_full = false;
  {
    const std::scoped_lock lock(mutex_);
    is_full = bytes_waiting_ + size > kBytesWaitingMax;
    if (!is_full) {
      bytes_waiting_ += size;
      jobs_.emplace_back([this, function = std::move(function), lines = std::move(lines)] {
        const auto written = append_to_file(function, lines);
        if (!written) tell_of_loss(written.error().message());
        const std::scoped_lock done(mutex_);
        bytes_waiting_ -= lines.size();
        if (written) loses_ = false;
      });
    }
  }
  if (is_full) return tell_of_loss("the disk does not take them as fast as they come");
  arrival_.notify_one();
}

void LogWriter::read(Tail tail, Done done) {
  {
    std::unique_lock lock(mutex_);
    if (readers_waiting_ >= kReadersWaitingMax) {
      lock.unlock();
      return done(failure(ErrorCode::kUnavailable, "too many requests wait for the disk"));
    }
    ++readers_waiting_;
    jobs_.emplace_back([this, tail = std::move(tail), done = std::move(done)]() mutable {
      auto text = read_tail(tail);
      {
        const std::scoped_lock one_less(mutex_);
        --readers_waiting_;
      }
      done(std::move(text));
    });
  }
  arrival_.notify_one();
}

Result<void> LogWriter::append_to_file(const std::string& function, const std::string& lines) const {
  const std::string name = function + ".log";
  auto file = open_at(directory_.get(), name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0640);
  if (!file) return failure(std::move(file).error());
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return failure(Error::from_errno("stat " + name));
  if (static_cast<std::uint64_t>(status.st_size) + lines.size() > kFileBytesMax && status.st_size > 0) {
    if (::renameat(directory_.get(), name.c_str(), directory_.get(), (name + ".1").c_str()) != 0) {
      return failure(Error::from_errno("rename " + name));
    }
    file = open_at(directory_.get(), name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0640);
    if (!file) return failure(std::move(file).error());
  }
  return write_all(file->get(), lines);
}

Result<std::string> LogWriter::read_tail(const Tail& tail) const {
  auto text = file_tail(directory_.get(), tail.function + ".log", tail.bytes_max);
  if (!text) return text;
  if (text->size() < tail.bytes_max && static_cast<std::size_t>(std::ranges::count(*text, '\n')) < tail.lines) {
    auto older = file_tail(directory_.get(), tail.function + ".log.1", tail.bytes_max - text->size());
    if (!older) return older;
    text = std::move(*older) + *text;
  }
  std::size_t begin = text->size();
  for (std::size_t kept = 0; begin > 0 && kept < tail.lines; ++kept) {
    const std::size_t newline = begin >= 2 ? text->rfind('\n', begin - 2) : std::string::npos;
    begin = newline == std::string::npos ? 0 : newline + 1;
  }
  return text->substr(begin);
}

}  // namespace ogni::service
