// A growing run of bytes on malloc(3), and the few words on text that the core needs: what std::string and
// std::string_view would give, without a symbol of the C++ library and without exceptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ogni::runtime {

// Keeps its memory when it is cleared. When memory runs out, ok() is false from then on, until clear(), and what is
// appended is dropped: a writer checks once, at its end.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void clear() {
    size_ = 0;
    ok_ = true;
  }
  Buffer& append(std::string_view text);
  Buffer& append_decimal(std::uint64_t number);
  void push_back(char c) { append({&c, 1}); }
  // Room for so many bytes in all. False: memory has run out; what was there stays.
  [[nodiscard]] bool reserve(std::size_t bytes);
  // The first `bytes` (at most capacity()) are the content, whatever has been put there.
  void set_size(std::size_t bytes) { size_ = bytes; }

  bool ok() const { return ok_; }
  char* data() { return data_; }
  const char* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_, size_}; }
  // NUL-terminated; "" when memory has run out.
  const char* c_str();

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  bool ok_ = true;
};

// As substr(), which can throw: what lies beyond the end is left out.
constexpr std::string_view slice(std::string_view text, std::size_t begin, std::size_t size = std::string_view::npos) {
  if (begin > text.size()) begin = text.size();
  return {text.data() + begin, size < text.size() - begin ? size : text.size() - begin};
}

constexpr bool begins_with(std::string_view text, std::string_view start) {
  return slice(text, 0, start.size()) == start;
}

// A whole decimal number from 0 to `max`, else -1.
std::int64_t parse_decimal(std::string_view text, std::int64_t max);

// Text of an environment variable, empty where it is not set.
std::string_view variable_text(const char* name);

// Unix time.
std::int64_t now_ms();

}  // namespace ogni::runtime
