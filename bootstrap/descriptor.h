// Owner of an open file descriptor, pipes and files in memory. Everything here lies above the descriptors that a child
// gets by number, and is closed on exec.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace ogni::bootstrap {

class [[nodiscard]] Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int owned) : value_(owned) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const { return value_; }  // borrowed; -1 where there is none
  explicit operator bool() const { return value_ >= 0; }
  void close();

 private:
  int value_ = -1;
};

// Children get their descriptors below this number.
constexpr int kOwnDescriptorMin = 10;

// Takes `descriptor` (-1: none) and returns it, or a copy in its place, at or above kOwnDescriptorMin.
Descriptor lift(int descriptor);

struct Pipe {
  Descriptor reading;
  Descriptor writing;

  // Both ends are there afterwards, or errno says why not.
  bool open();
};

// A file in memory with this content, read from its start; it ends with its last descriptor. Empty: see errno.
Descriptor memory_file(const char* name, std::string_view content);

bool write_all(int descriptor, std::string_view bytes);
void set_non_blocking(int descriptor);

}  // namespace ogni::bootstrap
