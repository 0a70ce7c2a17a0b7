// Bytes of a pipe, cut into lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace ogni::service {

class LineSplitter {
 public:
  // A line without end is cut here, as CloudWatch does with an event's maximum size.
  static constexpr std::size_t kLineBytesMax = 256 * 1024;

  struct Taken {
    std::size_t bytes = 0;  // fewer than all where there are more than lines_max lines
    std::size_t lines = 0;
  };
  // Calls sink(std::string_view line), without the newline, for each line that `bytes` completes, for `lines_max` of them
  // at most.
  template <typename Sink>
  Taken push(std::string_view bytes, std::size_t lines_max, Sink&& sink) {
    const std::size_t all = bytes.size();
    std::size_t lines = 0;
    while (!bytes.empty() && lines < lines_max) {
      const std::size_t newline = bytes.find('\n');
      std::string_view piece = bytes.substr(0, newline);
      const bool ends = newline != std::string_view::npos;
      const std::size_t room = kLineBytesMax - partial_.size();
      if (piece.size() > room) {
        partial_.append(piece.substr(0, room));
        sink(std::string_view(partial_));
        partial_.clear();
        bytes.remove_prefix(room);
        ++lines;
        continue;
      }
      bytes.remove_prefix(ends ? newline + 1 : piece.size());
      lines += ends ? 1 : 0;
      if (!ends) {
        partial_.append(piece);
      } else if (partial_.empty()) {
        sink(piece);
      } else {
        partial_.append(piece);
        sink(std::string_view(partial_));
        partial_.clear();
      }
    }
    return {.bytes = all - bytes.size(), .lines = lines};
  }

  // The rest, when the invocation or the program ends: a last line without a newline.
  template <typename Sink>
  void finish(Sink&& sink) {
    if (partial_.empty()) return;
    sink(std::string_view(partial_));
    partial_.clear();
    if (partial_.capacity() > 4096) std::string().swap(partial_);
  }

 private:
  std::string partial_;
};

}  // namespace ogni::service
