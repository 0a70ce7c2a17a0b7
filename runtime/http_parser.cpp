#include "runtime/http_parser.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace ogni::runtime {
namespace {

// Received at once while the length is not known yet: what of a body comes along with the head is copied.
constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kInputBytes = ResponseParser::kHeadBytesMax + kReadBytes;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What a byte may be part of. Every byte of a head is looked up here.
enum CharClass : unsigned char { kToken = 1, kValue = 2 };

constexpr std::array<unsigned char, 256> make_char_classes() {
  std::array<unsigned char, 256> classes = {};
  for (unsigned c = 0x20; c < 256; ++c) classes[c] = c == 0x7f ? 0 : kValue;
  classes['\t'] = kValue;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] |= kToken;
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] |= kToken;
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] |= kToken;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) classes[static_cast<unsigned char>(c)] |= kToken;
  return classes;
}
constexpr std::array<unsigned char, 256> kCharClasses = make_char_classes();

bool is_token_char(char c) { return (kCharClasses[static_cast<unsigned char>(c)] & kToken) != 0; }
bool is_value_char(char c) { return (kCharClasses[static_cast<unsigned char>(c)] & kValue) != 0; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (equals_ignoring_case(trim(slice(list, 0, comma)), token)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool parse_length(std::string_view text, std::uint64_t& length) {
  if (text.empty() || text.size() > 18) return false;
  length = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return true;
}

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

ResponseParser::ResponseParser(std::size_t body_bytes_max) : body_bytes_max_(body_bytes_max) { reset(); }

ResponseParser::Space ResponseParser::space() {
  if (state_ == State::kHead) {
    return {input_.data() + input_end_, std::min(kReadBytes, kInputBytes - input_end_)};
  }
  if (state_ != State::kBody) return {nullptr, 0};
  if (framing_ == Framing::kUntilClose) {
    return {body_.data() + body_.size(), body_limit() - body_.size()};
  }
  if (remaining_ > 0) {
    return {body_.data() + body_.size(), static_cast<std::size_t>(remaining_)};
  }
  return {input_.data() + input_end_, kInputBytes - input_end_};
}

ResponseParser::State ResponseParser::commit(std::size_t bytes) {
  if (state_ == State::kHead) {
    input_end_ += bytes;
    return advance();
  }
  if (state_ != State::kBody) return state_;
  if (framing_ == Framing::kUntilClose) {
    body_.set_size(body_.size() + bytes);
    return take_rest();
  }
  if (remaining_ > 0) {
    body_.set_size(body_.size() + bytes);
    remaining_ -= bytes;
  } else {
    input_end_ += bytes;
  }
  return advance();
}

ResponseParser::State ResponseParser::finish() {
  if (state_ == State::kBody && framing_ == Framing::kUntilClose) return complete();
  return state_ == State::kDone ? state_ : fail();
}

ResponseParser::State ResponseParser::next_response() {
  if (state_ == State::kFailed) return state_;
  const std::size_t left = state_ == State::kDone ? input_end_ - input_begin_ : 0;
  std::memmove(input_.data(), input_.data() + input_begin_, left);
  reset();
  input_end_ = left;
  return left > 0 ? advance() : state_;
}

ResponseParser::State ResponseParser::begin_after(const ResponseParser& other) {
  reset();
  const std::size_t left = other.excess();
  if (left == 0 || state_ == State::kFailed) return state_;
  std::memcpy(input_.data(), other.input_.data() + other.input_begin_, left);
  input_end_ = left;
  return advance();
}

void ResponseParser::reset() {
  state_ = input_.reserve(kInputBytes) ? State::kHead : State::kFailed;
  input_begin_ = input_end_ = head_end_ = scanned_ = 0;
  fields_count_ = 0;
  status_ = informational_ = 0;
  keep_alive_ = false;
  body_.clear();
  remaining_ = 0;
  framing_ = Framing::kLength;
  body_expected_ = true;
}

std::string_view ResponseParser::header(std::string_view name) const {
  for (std::size_t i = 0; i < fields_count_; ++i) {
    if (equals_ignoring_case(fields_[i].name, name)) return fields_[i].value;
  }
  return {};
}

ResponseParser::State ResponseParser::fail() { return state_ = State::kFailed; }

ResponseParser::State ResponseParser::complete() {
  if (!body_.reserve(body_.size() + 1)) return fail();
  body_.data()[body_.size()] = '\0';
  return state_ = State::kDone;
}

ResponseParser::State ResponseParser::advance() {
  while (state_ == State::kHead && take_head() == State::kHead) {
    if (input_begin_ == 0) return state_;  // incomplete; otherwise a 1xx was skipped
    std::memmove(input_.data(), input_.data() + input_begin_, input_end_ - input_begin_);
    input_end_ -= std::exchange(input_begin_, 0);
    scanned_ = 0;
  }
  while (state_ == State::kBody) {
    if (framing_ == Framing::kUntilClose) return take_rest();
    take_data();
    if (remaining_ > 0) return state_;
    if (framing_ == Framing::kLength) return complete();
    if (input_begin_ == input_end_) return state_;
    if (!take_chunk_byte(input_.data()[input_begin_++])) return fail();
  }
  return state_;
}

// Stays in kHead while the head is incomplete, and with input_begin_ moved when it was a 1xx.
ResponseParser::State ResponseParser::take_head() {
  const std::string_view input(input_.data(), input_end_);
  const std::size_t end = input.find("\r\n\r\n", scanned_ < 3 ? 0 : scanned_ - 3);
  scanned_ = input_end_;
  if (end == std::string_view::npos) return input_end_ >= kHeadBytesMax ? fail() : state_;
  if (end + 4 > kHeadBytesMax || !parse_head(slice(input, 0, end + 2))) return fail();
  input_begin_ = head_end_ = end + 4;
  if (status_ < 200) {
    fields_count_ = 0;
    return status_ != 101 && ++informational_ <= kInformationalMax ? state_ : fail();
  }
  if (!choose_framing()) return fail();
  for (std::size_t i = 0; i < fields_count_; ++i) {
    const std::string_view value = fields_[i].value;  // there is white space or the end of the line after it
    input_.data()[value.data() - input_.data() + static_cast<std::ptrdiff_t>(value.size())] = '\0';
  }
  return state_ = State::kBody;
}

// `head` ends with the CRLF of its last line.
bool ResponseParser::parse_head(std::string_view head) {
  bool first = true;
  while (!head.empty()) {
    const std::size_t end = head.find('\r');
    if (end + 1 >= head.size() || head[end + 1] != '\n') return false;
    const std::string_view line = slice(head, 0, end);
    head.remove_prefix(end + 2);
    if (!std::all_of(line.begin(), line.end(), is_value_char)) return false;
    if (first ? !parse_status_line(line) : !parse_field(line)) return false;
    first = false;
  }
  return !first;
}

bool ResponseParser::parse_status_line(std::string_view line) {
  if (line.size() < 12 || !begins_with(line, "HTTP/1.") || (line[7] != '0' && line[7] != '1')) return false;
  if (line[8] != ' ' || (line.size() > 12 && line[12] != ' ')) return false;
  const std::string_view code = slice(line, 9, 3);
  if (!std::all_of(code.begin(), code.end(), is_digit)) return false;
  http_1_0_ = line[7] == '0';
  status_ = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  return status_ >= 100 && status_ <= 599;
}

bool ResponseParser::parse_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos || fields_count_ == kFieldsMax) return false;
  const std::string_view name = slice(line, 0, colon);
  if (!is_token(name)) return false;
  fields_[fields_count_++] = {name, trim(slice(line, colon + 1))};
  return true;
}

bool ResponseParser::choose_framing() {
  bool has_length = false;
  bool chunked = false;
  bool close = false;
  bool keep = false;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < fields_count_; ++i) {
    const Field& field = fields_[i];
    if (equals_ignoring_case(field.name, "content-length")) {
      std::uint64_t value = 0;
      if (!parse_length(field.value, value) || (has_length && value != length)) return false;
      has_length = true;
      length = value;
    } else if (equals_ignoring_case(field.name, "transfer-encoding")) {
      if (chunked || !equals_ignoring_case(field.value, "chunked")) return false;
      chunked = true;
    } else if (equals_ignoring_case(field.name, "connection")) {
      close = close || has_token(field.value, "close");
      keep = keep || has_token(field.value, "keep-alive");
    }
  }
  if (chunked && (has_length || http_1_0_)) return false;
  const bool bodiless = status_ == 204 || status_ == 304 || !body_expected_;
  keep_alive_ = !close && (!http_1_0_ || keep) && (bodiless || chunked || has_length);
  if (bodiless) {
    framing_ = Framing::kLength;
    remaining_ = 0;
  } else if (chunked) {
    framing_ = Framing::kChunked;
    chunk_part_ = ChunkPart::kSizeFirst;
    framing_bytes_ = trailer_line_bytes_ = 0;
    remaining_ = 0;
  } else if (has_length) {
    framing_ = Framing::kLength;
    remaining_ = length;
    return length <= body_bytes_max_ && reserve_body(static_cast<std::size_t>(length));
  } else {
    framing_ = Framing::kUntilClose;
    return reserve_body(kReadBytes);
  }
  return true;
}

// How far the body may grow without more memory. One byte over the bound is let in, so that a body without length is
// seen to pass it; one of the memory is kept for the NUL.
std::size_t ResponseParser::body_limit() const {
  const std::size_t usable = body_.capacity() > 0 ? body_.capacity() - 1 : 0;
  return std::min(usable, body_bytes_max_ + 1);
}

bool ResponseParser::reserve_body(std::size_t bytes) {
  if (bytes <= body_limit()) return true;
  if (body_.size() > body_bytes_max_) return false;
  return body_.reserve(std::min(bytes, body_bytes_max_ + 1) + 1);
}

// Moves what the input holds of the body, or of the current chunk, to the body.
void ResponseParser::take_data() {
  const std::size_t available = input_end_ - input_begin_;
  const std::size_t bytes = remaining_ < available ? static_cast<std::size_t>(remaining_) : available;
  if (bytes > 0) std::memcpy(body_.data() + body_.size(), input_.data() + input_begin_, bytes);
  body_.set_size(body_.size() + bytes);
  input_begin_ += bytes;
  remaining_ -= bytes;
  if (framing_ != Framing::kChunked) return;
  if (remaining_ == 0 && chunk_part_ == ChunkPart::kData) chunk_part_ = ChunkPart::kDataCr;
  if (input_begin_ == input_end_) input_begin_ = input_end_ = head_end_;  // room for what follows
}

// A body without length: everything there is.
ResponseParser::State ResponseParser::take_rest() {
  while (input_begin_ < input_end_ || body_.size() == body_limit()) {
    if (body_.size() == body_limit() && !reserve_body(body_.size() + kReadBytes)) return fail();
    const std::size_t bytes = std::min(input_end_ - input_begin_, body_limit() - body_.size());
    std::memcpy(body_.data() + body_.size(), input_.data() + input_begin_, bytes);
    body_.set_size(body_.size() + bytes);
    input_begin_ += bytes;
  }
  return state_;
}

bool ResponseParser::take_chunk_byte(char byte) {
  const int digit = hex_value(byte);
  switch (chunk_part_) {
    case ChunkPart::kSizeFirst:
      if (digit < 0) return false;
      chunk_size_ = 0;
      chunk_digits_ = 0;
      chunk_part_ = ChunkPart::kSize;
      [[fallthrough]];
    case ChunkPart::kSize:
      if (digit >= 0) {
        chunk_size_ = chunk_size_ * 16 + static_cast<std::uint64_t>(digit);
        return ++chunk_digits_ <= 15;
      }
      chunk_part_ = byte == '\r' ? ChunkPart::kSizeLf : ChunkPart::kExtension;
      return byte == '\r' || byte == ';' || byte == ' ' || byte == '\t';
    case ChunkPart::kExtension:
      if (byte == '\r') chunk_part_ = ChunkPart::kSizeLf;
      return byte == '\r' || (is_value_char(byte) && ++framing_bytes_ <= kHeadBytesMax);
    case ChunkPart::kSizeLf:
      return byte == '\n' && begin_chunk();
    case ChunkPart::kData:
      return false;
    case ChunkPart::kDataCr:
      chunk_part_ = ChunkPart::kDataLf;
      return byte == '\r';
    case ChunkPart::kDataLf:
      chunk_part_ = ChunkPart::kSizeFirst;
      return byte == '\n';
    case ChunkPart::kTrailer:
      if (byte != '\r') return is_value_char(byte) && ++trailer_line_bytes_ > 0 && ++framing_bytes_ <= kHeadBytesMax;
      chunk_part_ = ChunkPart::kTrailerLf;
      return ++framing_bytes_ <= kHeadBytesMax;
    case ChunkPart::kTrailerLf:
      if (byte == '\n' && trailer_line_bytes_ == 0) return complete() == State::kDone;
      trailer_line_bytes_ = 0;
      chunk_part_ = ChunkPart::kTrailer;
      return byte == '\n';
  }
  return false;
}

bool ResponseParser::begin_chunk() {
  if (chunk_size_ == 0) {
    chunk_part_ = ChunkPart::kTrailer;
    return true;
  }
  if (chunk_size_ > body_bytes_max_ - body_.size()) return false;
  remaining_ = chunk_size_;
  chunk_part_ = ChunkPart::kData;
  return reserve_body(body_.size() + static_cast<std::size_t>(chunk_size_));
}

}  // namespace ogni::runtime
