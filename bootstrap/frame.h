// Frames of the worker protocol (docs/worker-protocol.md), without a descriptor: a line "KIND HEAD_BYTES BODY_BYTES",
// the head (lines "name=value"), the body.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ogni::bootstrap {

// Puts `line` and `head` of a frame into `out`, whose body of that length follows.
class FrameWriter {
 public:
  // Forgets the frame before.
  void clear() { head_.clear(); }
  // Nothing is added for an empty value. Line feeds in a value become spaces.
  void field(std::string_view name, std::string_view value);
  // The frame up to its body; valid until the next call.
  std::string_view finish(std::string_view kind, std::size_t body_bytes);

 private:
  std::string head_;
  std::string frame_;
};

// Reads frames from bytes split anywhere. Only a frame of a stream may be followed by another at once. Hands out where the next bytes belong, so a body is read into its place.
class FrameReader {
 public:
  enum class State { kIncomplete, kDone, kFailed };
  struct Space {
    char* data;
    std::size_t size;
  };

  static constexpr std::size_t kLineBytesMax = 64;
  static constexpr std::size_t kHeadBytesMax = 64 * 1024;
  // Far above the 6 MiB that AWS takes, so that it is the platform that says "too large".
  static constexpr std::size_t kBodyBytesMax = 256 * 1024 * 1024;

  FrameReader() : data_(kFirstBytes) {}

  Space space();
  State commit(std::size_t bytes);
  // Forgets everything.
  void reset();
  // Forgets this frame, which belongs to a stream ("stream", "chunk"), and goes on with bytes that came after it.
  State next();

  State state() const { return state_; }
  // Valid until reset().
  std::string_view kind() const { return {data_.data(), kind_bytes_}; }
  std::string_view body() const { return {data_.data() + line_bytes_ + head_bytes_, body_bytes_}; }
  // Value of a field of the head, else empty.
  std::string_view field(std::string_view name) const;

 private:
  static constexpr std::size_t kFirstBytes = 64 * 1024;

  State parse_line();
  bool is_followed() const { return kind() == "stream" || kind() == "chunk"; }

  State state_ = State::kIncomplete;
  std::vector<char> data_;  // keeps its size: a warm frame allocates nothing
  std::size_t size_ = 0;
  std::size_t kind_bytes_ = 0;
  std::size_t line_bytes_ = 0;  // with the line feed; 0 until it is there
  std::size_t head_bytes_ = 0;
  std::size_t body_bytes_ = 0;
};

}  // namespace ogni::bootstrap
