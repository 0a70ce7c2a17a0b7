// What led to an error, as X-Ray shows it: the value of the header Lambda-Runtime-Function-XRay-Error-Cause.
// Source: the headers that AWS's own runtimes send with an error; AWS X-Ray Developer Guide, "Segment documents".
#pragma once

#include <cstddef>
#include <string_view>

#include "runtime/buffer.h"

namespace ogni::runtime {

// {"exceptions":[{"message":…,"type":…,"stack":[{"label":…},…]},…],"working_directory":…,"paths":[]}
//
// In kBytesMax bytes at most: long texts are cut, and stack frames and exceptions for which there is no room left out.
// Bytes that are not UTF-8 become U+FFFD. Empty when memory has run out.
class XrayCause {
 public:
  // AWS crops what is above 64 KiB, and a head has to have room for it.
  static constexpr std::size_t kBytesMax = 16 * 1024;

  explicit XrayCause(Buffer& out);
  XrayCause(const XrayCause&) = delete;
  XrayCause& operator=(const XrayCause&) = delete;

  // The error itself first, then what led to it. `type` and `message` are followed by frame()s, innermost first.
  void exception(std::string_view type, std::string_view message);
  void frame(std::string_view line);
  // Lines separated by '\n', each a frame.
  void frames(std::string_view lines);
  // The whole value; nothing may be added afterwards.
  std::string_view end();

 private:
  bool has_room(std::size_t bytes) const;

  Buffer& out_;
  bool open_ = false;   // an exception that takes frames
  bool first_ = false;  // whose first frame is still to come
  bool full_ = false;
};

}  // namespace ogni::runtime
