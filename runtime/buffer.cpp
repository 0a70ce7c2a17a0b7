#include "runtime/buffer.h"

#include <cstdlib>
#include <cstring>
#include <ctime>

namespace ogni::runtime {
namespace {

constexpr std::size_t kBytesMin = 256;

}  // namespace

Buffer::~Buffer() { std::free(data_); }

bool Buffer::reserve(std::size_t bytes) {
  if (bytes <= capacity_) return true;
  std::size_t capacity = capacity_ * 2;
  if (capacity < bytes) capacity = bytes;
  if (capacity < kBytesMin) capacity = kBytesMin;
  // What is empty need not be copied to its new place.
  void* grown = nullptr;
  if (size_ > 0) {
    grown = std::realloc(data_, capacity);
  } else {
    grown = std::malloc(capacity);
    if (grown != nullptr) std::free(data_);
  }
  if (grown == nullptr) return false;
  data_ = static_cast<char*>(grown);
  capacity_ = capacity;
  return true;
}

Buffer& Buffer::append(std::string_view text) {
  if (text.empty()) return *this;
  if (!ok_ || text.size() > SIZE_MAX / 4 || !reserve(size_ + text.size())) {
    ok_ = false;
    return *this;
  }
  std::memcpy(data_ + size_, text.data(), text.size());
  size_ += text.size();
  return *this;
}

Buffer& Buffer::append_decimal(std::uint64_t number) {
  char digits[20];
  std::size_t begin = sizeof digits;
  do {
    digits[--begin] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return append({digits + begin, sizeof digits - begin});
}

const char* Buffer::c_str() {
  if (!reserve(size_ + 1)) return "";
  data_[size_] = '\0';
  return data_;
}

std::int64_t parse_decimal(std::string_view text, std::int64_t max) {
  if (text.empty() || text.size() > 18) return -1;
  std::int64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return number <= max ? number : -1;
}

std::string_view variable_text(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

std::int64_t now_ms() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace ogni::runtime
