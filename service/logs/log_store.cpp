#include "service/logs/log_store.h"

#include <future>
#include <utility>

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
  writer_.write(function, std::exchange(log.unwritten, std::string()));
}

void LogStore::tail(LogWriter::Tail tail, LogWriter::Done done) {
  flush();
  writer_.read(std::move(tail), std::move(done));
}

Result<std::string> LogStore::tail(const std::string& function, std::size_t lines, std::size_t bytes_max) {
  std::promise<Result<std::string>> answer;
  tail({.function = function, .lines = lines, .bytes_max = bytes_max},
       [&](Result<std::string> text) { answer.set_value(std::move(text)); });
  return answer.get_future().get();
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
