#include "bootstrap/fastcgi_record.h"

#include <algorithm>
#include <utility>

namespace ogni::bootstrap {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kBeginRequest = 1;
constexpr std::uint8_t kEndRequest = 3;
constexpr std::uint8_t kParameters = 4;
constexpr std::uint8_t kInput = 5;
constexpr std::uint8_t kOutput = 6;
constexpr std::uint8_t kErrors = 7;

constexpr std::size_t kHeadBytes = 8;
constexpr std::size_t kContentBytesMax = 65528;  // a multiple of 8, so no padding
constexpr std::size_t kEndBytes = 8;
constexpr std::uint8_t kRequestComplete = 0;

char byte(std::size_t value) { return static_cast<char>(static_cast<unsigned char>(value & 0xFF)); }

void append_head(std::string& out, std::uint8_t type, std::size_t content_bytes) {
  const char head[kHeadBytes] = {byte(kVersion), byte(type), 0, 1, byte(content_bytes >> 8), byte(content_bytes), 0, 0};
  out.append(head, sizeof head);
}

// A stream is its content in records, and an empty one.
void append_stream(std::string& out, std::uint8_t type, std::string_view content) {
  while (!content.empty()) {
    const std::string_view part = content.substr(0, kContentBytesMax);
    append_head(out, type, part.size());
    out.append(part);
    content.remove_prefix(part.size());
  }
  append_head(out, type, 0);
}

void append_length(std::string& out, std::size_t bytes) {
  if (bytes < 128) {
    out += byte(bytes);
  } else {
    const char length[] = {byte(bytes >> 24 | 0x80), byte(bytes >> 16), byte(bytes >> 8), byte(bytes)};
    out.append(length, sizeof length);
  }
}

std::uint8_t at(const std::string& bytes, std::size_t index) { return static_cast<std::uint8_t>(bytes[index]); }

}  // namespace

FastcgiWriter::FastcgiWriter(std::string& out) : out_(out) {
  append_head(out_, kBeginRequest, 8);
  const char responder_kept[8] = {0, 1, 1, 0, 0, 0, 0, 0};
  out_.append(responder_kept, sizeof responder_kept);
}

void FastcgiWriter::parameter(std::string_view name, std::string_view value) {
  append_length(parameters_, name.size());
  append_length(parameters_, value.size());
  parameters_.append(name).append(value);
}

void FastcgiWriter::finish(std::string_view body) {
  append_stream(out_, kParameters, parameters_);
  out_.reserve(out_.size() + body.size() + (body.size() / kContentBytesMax + 2) * kHeadBytes);
  append_stream(out_, kInput, body);
}

void FastcgiReader::reset() {
  state_ = State::kIncomplete;
  head_.clear();
  end_.clear();
  output_.clear();
  errors_.clear();
  content_left_ = padding_left_ = 0;
  application_status_ = 0;
  has_excess_ = false;
}

std::string FastcgiReader::take_errors() { return std::exchange(errors_, {}); }

FastcgiReader::State FastcgiReader::take(std::string_view bytes) {
  while (!bytes.empty() && state_ == State::kIncomplete) {
    if (head_.size() < kHeadBytes) {
      const std::string_view part = bytes.substr(0, kHeadBytes - head_.size());
      head_.append(part);
      bytes.remove_prefix(part.size());
      if (head_.size() < kHeadBytes) break;
      if (!take_head()) return state_ = State::kFailed;
    }
    const std::string_view content = bytes.substr(0, content_left_);
    bytes.remove_prefix(content.size());
    content_left_ -= content.size();
    if (is_ours_ && type_ == kOutput) output_.append(content);
    if (is_ours_ && type_ == kErrors) errors_.append(content);
    if (is_ours_ && type_ == kEndRequest) end_.append(content);
    if (output_.size() > output_bytes_max_ || errors_.size() > output_bytes_max_) return state_ = State::kFailed;
    const std::size_t padding = std::min(padding_left_, bytes.size());
    bytes.remove_prefix(content_left_ == 0 ? padding : 0);
    padding_left_ -= content_left_ == 0 ? padding : 0;
    if (content_left_ == 0 && padding_left_ == 0 && !end_record()) return state_ = State::kFailed;
  }
  has_excess_ = has_excess_ || !bytes.empty();
  return state_;
}

bool FastcgiReader::take_head() {
  if (at(head_, 0) != kVersion) return false;
  type_ = at(head_, 1);
  const unsigned request = at(head_, 2) * 256u + at(head_, 3);
  is_ours_ = request == 1;
  content_left_ = at(head_, 4) * 256u + at(head_, 5);
  padding_left_ = at(head_, 6);
  if (is_ours_) return type_ == kOutput || type_ == kErrors || (type_ == kEndRequest && content_left_ == kEndBytes);
  return request == 0;  // management records, which nobody has asked for, are skipped
}

bool FastcgiReader::end_record() {
  head_.clear();
  if (!is_ours_ || type_ != kEndRequest) return true;
  for (std::size_t i = 0; i < 4; ++i) application_status_ = application_status_ << 8 | at(end_, i);
  if (at(end_, 4) != kRequestComplete) return false;
  state_ = State::kDone;
  return true;
}

}  // namespace ogni::bootstrap
