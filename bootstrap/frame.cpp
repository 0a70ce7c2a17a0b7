#include "bootstrap/frame.h"

#include <algorithm>
#include <charconv>

namespace ogni::bootstrap {
namespace {

bool parse_count(std::string_view text, std::size_t max, std::size_t& count) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && count <= max;
}

}  // namespace

void FrameWriter::field(std::string_view name, std::string_view value) {
  if (value.empty()) return;
  head_.append(name).push_back('=');
  for (const char c : value) head_.push_back(c == '\n' || c == '\r' ? ' ' : c);
  head_.push_back('\n');
}

std::string_view FrameWriter::finish(std::string_view kind, std::size_t body_bytes) {
  char digits[48];
  char* end = std::to_chars(digits, digits + 20, head_.size()).ptr;
  *end++ = ' ';
  end = std::to_chars(end, digits + sizeof digits, body_bytes).ptr;
  *end++ = '\n';
  frame_.assign(kind).append(" ").append(digits, end).append(head_);
  return frame_;
}

FrameReader::Space FrameReader::space() {
  if (state_ != State::kIncomplete) return {nullptr, 0};
  const std::size_t end = line_bytes_ == 0 ? data_.size() : line_bytes_ + head_bytes_ + body_bytes_;
  return {data_.data() + size_, end - size_};
}

FrameReader::State FrameReader::commit(std::size_t bytes) {
  size_ += bytes;
  if (line_bytes_ == 0 && (parse_line() == State::kFailed || line_bytes_ == 0)) return state_;
  const std::size_t end = line_bytes_ + head_bytes_ + body_bytes_;
  if (size_ > end && !is_followed()) return state_ = State::kFailed;  // nobody asked for a second frame
  if (size_ >= end) return state_ = State::kDone;
  if (data_.size() < end) data_.resize(end);
  return state_;
}

FrameReader::State FrameReader::parse_line() {
  const std::string_view start(data_.data(), std::min(size_, kLineBytesMax));
  const std::size_t end = start.find('\n');
  if (end == std::string_view::npos) return start.size() == kLineBytesMax ? state_ = State::kFailed : state_;
  const std::string_view line = start.substr(0, end);
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos || first == 0) return state_ = State::kFailed;
  if (!parse_count(line.substr(first + 1, second - first - 1), kHeadBytesMax, head_bytes_) ||
      !parse_count(line.substr(second + 1), kBodyBytesMax, body_bytes_)) {
    return state_ = State::kFailed;
  }
  kind_bytes_ = first;
  line_bytes_ = end + 1;
  return state_;
}

FrameReader::State FrameReader::next() {
  const std::size_t end = line_bytes_ + head_bytes_ + body_bytes_;
  const std::size_t rest = size_ - end;
  std::copy(data_.begin() + static_cast<std::ptrdiff_t>(end), data_.begin() + static_cast<std::ptrdiff_t>(size_),
            data_.begin());
  reset();
  return commit(rest);
}

void FrameReader::reset() {
  state_ = State::kIncomplete;
  size_ = kind_bytes_ = line_bytes_ = head_bytes_ = body_bytes_ = 0;
}

std::string_view FrameReader::field(std::string_view name) const {
  std::string_view head(data_.data() + line_bytes_, head_bytes_);
  while (!head.empty()) {
    const std::size_t end = std::min(head.find('\n'), head.size());
    const std::string_view line = head.substr(0, end);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == '=') {
      return line.substr(name.size() + 1);
    }
    head.remove_prefix(std::min(end + 1, head.size()));
  }
  return {};
}

}  // namespace ogni::bootstrap
