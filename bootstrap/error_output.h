// What a program writes on stderr: it passes to this program's at once, and its end is kept.
#pragma once

#include <string>
#include <string_view>

#include "bootstrap/descriptor.h"

namespace ogni::bootstrap {

class ErrorOutput {
 public:
  // So much of the end is kept, and less than twice as much.
  static constexpr std::size_t kTailBytes = 8 * 1024;

  // At once: more than a pipe holds, and not for ever where somebody writes without end.
  static constexpr std::size_t kPassBytesMax = 4 * 1024 * 1024;

  ErrorOutput() = default;  // of nobody
  explicit ErrorOutput(Descriptor reading);

  // To be polled; -1 when no more can come.
  int descriptor() const { return reading_.get(); }
  // Passes on what has come. Never waits for more.
  void pass_on();
  void forget() { tail_.clear(); }
  std::string& tail() { return tail_; }

 private:
  Descriptor reading_;
  std::string tail_;
};

}  // namespace ogni::bootstrap
