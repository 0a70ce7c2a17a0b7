#include "runtime/http_writer.h"

#include <charconv>

namespace ogni::runtime {

RequestWriter::RequestWriter(std::string& out, std::string_view method, std::string_view target, std::string_view host,
                             std::string_view user_agent)
    : out_(out) {
  out_.clear();
  out_.append(method).append(" ");
  const std::size_t begin = out_.size();
  out_.append(target);
  for (std::size_t i = begin; i < out_.size(); ++i) {
    if (out_[i] <= ' ' || out_[i] >= 0x7f) out_[i] = '_';
  }
  out_.append(" HTTP/1.1\r\n");
  field("Host", host);
  field("User-Agent", user_agent);
}

RequestWriter& RequestWriter::field(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  out_.append(name).append(": ");
  append_value(value);
  out_.append("\r\n");
  return *this;
}

void RequestWriter::end_with_body(std::size_t bytes) {
  char digits[24];
  const auto written = std::to_chars(digits, digits + sizeof digits, bytes);
  out_.append("Content-Length: ").append(digits, written.ptr).append("\r\n\r\n");
}

void RequestWriter::end() { out_.append("\r\n"); }

void RequestWriter::append_value(std::string_view value) {
  const std::size_t begin = out_.size();
  out_.append(value);
  for (std::size_t i = begin; i < out_.size(); ++i) {
    if (static_cast<unsigned char>(out_[i]) < 0x20 || out_[i] == 0x7f) out_[i] = ' ';
  }
}

}  // namespace ogni::runtime
