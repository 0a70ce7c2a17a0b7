// Sole owner of an open file descriptor.
#pragma once

#include <unistd.h>

#include <utility>

namespace ogni {

class [[nodiscard]] Fd {
 public:
  Fd() = default;
  explicit Fd(int owned) : fd_(owned) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);  // not retried on EINTR: Linux has freed the number
  }

  int get() const { return fd_; }  // borrowed: valid while this Fd lives
  int release() && { return std::exchange(fd_, -1); }
  void reset() { Fd closing(std::exchange(fd_, -1)); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace ogni
