#include "runtime/http_writer.h"

namespace ogni::runtime {
namespace {

// Of what was appended since `begin`, bytes that `keep` refuses become `replacement`.
template <typename Keep>
void clean(Buffer& out, std::size_t begin, char replacement, Keep keep) {
  for (std::size_t i = begin; i < out.size(); ++i) {
    if (!keep(static_cast<unsigned char>(out.data()[i]))) out.data()[i] = replacement;
  }
}

}  // namespace

void append_field(Buffer& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out.append(name).append(": ");
  const std::size_t begin = out.size();
  out.append(value);
  clean(out, begin, ' ', [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
  out.append("\r\n");
}

RequestWriter::RequestWriter(Buffer& out, std::string_view method) : out_(out) {
  out_.clear();
  out_.append(method).append(" ");
}

RequestWriter& RequestWriter::target(std::string_view a, std::string_view b, std::string_view c, std::string_view host,
                                     std::string_view user_agent) {
  const std::size_t begin = out_.size();
  out_.append(a).append(b).append(c);
  clean(out_, begin, '_', [](unsigned char byte) { return byte > ' ' && byte < 0x7f; });
  out_.append(" HTTP/1.1\r\n");
  field("Host", host);
  return field("User-Agent", user_agent);
}

RequestWriter& RequestWriter::field(std::string_view name, std::string_view value) {
  append_field(out_, name, value);
  return *this;
}

void RequestWriter::end_with_body(std::size_t bytes) {
  out_.append("Content-Length: ").append_decimal(bytes).append("\r\n\r\n");
}

void RequestWriter::end() { out_.append("\r\n"); }

}  // namespace ogni::runtime
