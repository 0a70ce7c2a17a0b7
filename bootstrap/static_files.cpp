#include "bootstrap/static_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "bootstrap/descriptor.h"
#include "bootstrap/text.h"
#include "protocol/limits.h"

namespace ogni::bootstrap {
namespace {

struct Type {
  std::string_view extension;
  const char* type;
  bool may_be_settings = false;
};

constexpr Type kTypes[] = {
    {"css", "text/css"},
    {"js", "text/javascript"},
    {"mjs", "text/javascript"},
    {"map", "application/json"},
    {"html", "text/html"},
    {"htm", "text/html"},
    {"txt", "text/plain"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"ico", "image/x-icon"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"eot", "application/vnd.ms-fontobject"},
    {"wasm", "application/wasm"},
    {"webmanifest", "application/manifest+json"},
    {"pdf", "application/pdf"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"wav", "audio/wav"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"json", "application/json", true},
    {"xml", "application/xml", true},
    {"csv", "text/csv", true},
    {"zip", "application/zip", true},
};

const Type* type_of(std::string_view path) {
  const std::size_t point = path.find_last_of("./");
  if (point == std::string_view::npos || path[point] != '.') return nullptr;
  const std::string extension = lower(path.substr(point + 1));
  for (const Type& type : kTypes) {
    if (type.extension == extension) return &type;
  }
  return nullptr;
}

// No part is empty or begins with a point: so there is no "..", and no ".env".
bool is_plain(std::string_view path) {
  if (!path.starts_with('/') || path.find('\0') != std::string_view::npos) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '/' && (i + 1 == path.size() || path[i + 1] == '.' || path[i + 1] == '/')) return false;
  }
  return true;
}

bool read_file(const std::string& path, std::size_t bytes_max, std::string& content) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat status = {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > bytes_max) return false;
  content.resize(static_cast<std::size_t>(status.st_size));
  std::size_t read = 0;
  while (read < content.size()) {
    const ssize_t count = ::read(file.get(), content.data() + read, content.size() - read);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    read += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace

std::optional<HttpReply> StaticFiles::find(const HttpRequest& request, std::string& content) const {
  const bool is_head = request.method == "HEAD";
  if (!is_head && request.method != "GET") return std::nullopt;
  const std::string path = percent_decoded(request.path);
  const Type* type = type_of(path);
  if (type == nullptr || (type->may_be_settings && is_shared_) || !is_plain(path)) return std::nullopt;
  // A link of the package may lead anywhere; one that leaves it is not for browsers.
  char resolved[PATH_MAX];
  if (::realpath((root_ + path).c_str(), resolved) == nullptr) return std::nullopt;
  char boundary[PATH_MAX];
  if (::realpath(boundary_.c_str(), boundary) == nullptr) return std::nullopt;
  const std::string_view real = resolved;
  const std::string_view within = boundary;
  if (!real.starts_with(within) || !is_plain(real.substr(within.size()))) return std::nullopt;
  if (!read_file(resolved, protocol::limits::kPayloadBytesMax, content)) return std::nullopt;
  if (is_head) content.clear();
  HttpReply reply;
  reply.fields.push_back({"content-type", type->type});
  reply.body = content;
  return reply;
}

}  // namespace ogni::bootstrap
