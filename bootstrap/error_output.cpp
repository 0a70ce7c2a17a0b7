#include "bootstrap/error_output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ogni::bootstrap {

ErrorOutput::ErrorOutput(Descriptor reading) : reading_(std::move(reading)) { set_non_blocking(reading_.get()); }

void ErrorOutput::pass_on() {
  char buffer[16 * 1024];
  for (std::size_t passed = 0; reading_ && passed < kPassBytesMax;) {
    const ssize_t count = ::read(reading_.get(), buffer, sizeof buffer);
    if (count == 0) reading_.close();
    if (count < 0 && errno != EINTR) return;
    if (count <= 0) continue;
    const std::string_view text(buffer, static_cast<std::size_t>(count));
    write_all(STDERR_FILENO, text);
    passed += text.size();
    tail_.append(text);
    if (tail_.size() > 2 * kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  }
}

}  // namespace ogni::bootstrap
