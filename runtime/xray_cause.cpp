#include "runtime/xray_cause.h"

#include <unistd.h>

#include "runtime/json_escape.h"
#include "runtime/utf8.h"

namespace ogni::runtime {
namespace {

// Of a type, a message, a frame or a directory; in JSON each byte may become six.
constexpr std::size_t kTextBytesMax = 256;
constexpr std::size_t kMessageBytesMax = 1024;
constexpr std::size_t kEscapeBytesMax = 6;
// For the names of members, and for the end.
constexpr std::size_t kOverheadBytes = 128;
constexpr std::size_t kEndBytes = kTextBytesMax * kEscapeBytesMax + kOverheadBytes;

}  // namespace

XrayCause::XrayCause(Buffer& out) : out_(out) {
  out_.clear();
  out_.append("{\"exceptions\":[");
}

// Whether so many bytes of text can be added and the whole still be ended.
bool XrayCause::has_room(std::size_t bytes) const {
  return out_.size() + bytes * kEscapeBytesMax + kOverheadBytes + kEndBytes <= kBytesMax;
}

void XrayCause::exception(std::string_view type, std::string_view message) {
  type = cut_utf8(type, kTextBytesMax);
  message = cut_utf8(message, kMessageBytesMax);
  const bool another = open_;
  if (open_) out_.append("]}");
  open_ = false;
  full_ = full_ || !has_room(type.size() + message.size());
  if (full_) return;
  out_.append(another ? "," : "").append("{\"message\":");
  append_escaped_json(out_, message);
  out_.append(",\"type\":");
  append_escaped_json(out_, type);
  out_.append(",\"stack\":[");
  open_ = first_ = true;
}

void XrayCause::frame(std::string_view line) {
  line = cut_utf8(line, kTextBytesMax);
  if (!open_ || line.empty() || !has_room(line.size())) return;
  out_.append(first_ ? "{\"label\":" : ",{\"label\":");
  append_escaped_json(out_, line);
  out_.append("}");
  first_ = false;
}

void XrayCause::frames(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    frame(slice(lines, 0, end));
    lines = end == std::string_view::npos ? std::string_view() : slice(lines, end + 1);
  }
}

std::string_view XrayCause::end() {
  if (open_) out_.append("]}");
  open_ = false;
  char directory[kTextBytesMax];
  const bool known = ::getcwd(directory, sizeof directory) != nullptr;
  out_.append("],\"working_directory\":");
  append_escaped_json(out_, known ? std::string_view(directory) : std::string_view());
  out_.append(",\"paths\":[]}");
  return out_.ok() ? out_.view() : std::string_view();
}

}  // namespace ogni::runtime
