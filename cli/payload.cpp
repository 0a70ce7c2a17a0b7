#include "cli/payload.h"

#include <unistd.h>

#include <array>

#include "base/system.h"
#include "base/text.h"
#include "protocol/limits.h"

namespace ogni::cli {
namespace {

using protocol::limits::kPayloadBytesMax;

std::unexpected<Failure> too_large(const std::string& source) {
  return stop(ExitCode::kUsage,
              source + " is larger than " + std::to_string(kPayloadBytesMax) + " bytes, the most that an event may be");
}

Outcome<std::string> read_stdin() {
  std::string text;
  std::array<char, 64 * 1024> buffer{};
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return stop(ExitCode::kUsage, Error::from_errno("read standard input").message());
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kPayloadBytesMax) return too_large("standard input");
  }
}

}  // namespace

Outcome<std::string> read_payload(const std::string& words) {
  if (words == "-") return read_stdin();
  if (!words.starts_with('@')) return words;
  const std::string path = words.substr(1);
  auto text = read_file(path, kPayloadBytesMax);
  if (text) return std::move(*text);
  if (text.error().code() == ErrorCode::kTooLarge) return too_large("'" + printable(path) + "'");
  return stop(ExitCode::kUsage, "payload file " + printable(text.error().message(), 1000));
}

}  // namespace ogni::cli
