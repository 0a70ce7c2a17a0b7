#include "service/logs/log_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/system.h"

namespace ogni::service {

void LogStore::append(const std::string& function, std::string_view stream, WallTime time, std::string_view line) {
  FunctionLog& log = logs_[function];
  if (log.unwritten.empty()) {
    if (dirty_.empty() && begun_) begun_();
    dirty_.push_back(function);
  }
  const std::size_t begin = log.unwritten.size();
  if (stamp_.empty() || time != stamped_) {
    stamped_ = time;
    stamp_ = to_iso8601(time);
  }
  log.unwritten += stamp_;
  log.unwritten += '\t';
  log.unwritten += stream;
  log.unwritten += '\t';
  log.unwritten += line;
  log.unwritten += '\n';
  if (!log.followers.empty()) {
    const std::string_view formatted = std::string_view(log.unwritten).substr(begin);
    for (auto it = log.followers.begin(); it != log.followers.end();) {
      if (auto follower = it->lock()) {
        (*follower)(formatted);
        ++it;
      } else {
        it = log.followers.erase(it);
      }
    }
  }
  if (log.unwritten.size() >= kBufferBytesMax) {
    write_out(function, log);
    dirty_.remove(function);
  }
}

void LogStore::flush() {
  for (const std::string& function : dirty_) {
    const auto it = logs_.find(function);
    write_out(function, it->second);
    std::erase_if(it->second.followers, [](const auto& follower) { return follower.expired(); });
    if (it->second.followers.empty()) logs_.erase(it);
  }
  dirty_.clear();
}

void LogStore::write_out(const std::string& function, FunctionLog& log) {
  const std::string name = function + ".log";
  auto written = [&]() -> Result<void> {
    auto file = open_at(directory_.get(), name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0640);
    if (!file) return failure(std::move(file).error());
    struct stat status{};
    if (::fstat(file->get(), &status) != 0) return failure(Error::from_errno("stat " + name));
    if (static_cast<std::uint64_t>(status.st_size) + log.unwritten.size() > kFileBytesMax && status.st_size > 0) {
      if (::renameat(directory_.get(), name.c_str(), directory_.get(), (name + ".1").c_str()) != 0) {
        return failure(Error::from_errno("rename " + name));
      }
      file = open_at(directory_.get(), name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0640);
      if (!file) return failure(std::move(file).error());
    }
    return write_all(file->get(), log.unwritten);
  }();
  if (!written && !warned_) {
    spdlog::error("function logs are being lost: {}", written.error().message());
    warned_ = true;
  }
  if (written) warned_ = false;
  if (log.unwritten.capacity() > kBufferBytesMax / 4) {
    std::string().swap(log.unwritten);
  } else {
    log.unwritten.clear();
  }
}

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

Result<std::string> LogStore::tail(const std::string& function, std::size_t lines, std::size_t bytes_max) {
  flush();
  auto text = file_tail(directory_.get(), function + ".log", bytes_max);
  if (!text) return text;
  if (text->size() < bytes_max && static_cast<std::size_t>(std::ranges::count(*text, '\n')) < lines) {
    auto older = file_tail(directory_.get(), function + ".log.1", bytes_max - text->size());
    if (!older) return older;
    text = std::move(*older) + *text;
  }
  std::size_t begin = text->size();
  for (std::size_t kept = 0; begin > 0 && kept < lines; ++kept) {
    const std::size_t newline = begin >= 2 ? text->rfind('\n', begin - 2) : std::string::npos;
    begin = newline == std::string::npos ? 0 : newline + 1;
  }
  return text->substr(begin);
}

LogStore::Subscription LogStore::follow(const std::string& function, Follower follower) {
  Subscription subscription;
  // What earlier followers left behind, of any function, goes with the next one.
  for (auto it = logs_.begin(); it != logs_.end();) {
    std::erase_if(it->second.followers, [](const auto& old) { return old.expired(); });
    it = it->second.followers.empty() && it->second.unwritten.empty() ? logs_.erase(it) : std::next(it);
  }
  subscription.follower_ = std::make_shared<Follower>(std::move(follower));
  logs_[function].followers.push_back(subscription.follower_);
  return subscription;
}

}  // namespace ogni::service
