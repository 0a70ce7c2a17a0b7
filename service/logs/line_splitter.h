// Bytes of a pipe, cut into lines.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace ogni::service {

class LineSplitter {
 public:
  // A line without end is cut here, as CloudWatch does with an event's maximum size.
  static constexpr std::size_t kLineBytesMax = 256 * 1024;

  // Calls sink(std::string_view line), without the newline, for each line that `bytes` completes.
  template <typename Sink>
  void push(std::string_view bytes, Sink&& sink) {
    while (!bytes.empty()) {
      const std::size_t newline = bytes.find('\n');
      std::string_view piece = bytes.substr(0, newline);
      const bool ends = newline != std::string_view::npos;
      const std::size_t room = kLineBytesMax - partial_.size();
      if (piece.size() > room) {
        partial_.append(piece.substr(0, room));
        sink(std::string_view(partial_));
        partial_.clear();
        bytes.remove_prefix(room);
        continue;
      }
      bytes.remove_prefix(ends ? newline + 1 : piece.size());
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
