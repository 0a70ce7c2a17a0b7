#include "runtime/log.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "protocol/runtime_api.h"
#include "runtime/http_parser.h"
#include "runtime/json_escape.h"

namespace ogni::runtime {
namespace {

namespace variable = protocol::variable;

constexpr std::string_view kLevels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
constexpr int kDescriptorMax = 1 << 20;
// A frame: type, bytes of the entry, time in microseconds; big-endian. The type's low byte says level and format.
constexpr std::size_t kFrameHeadBytes = 16;
constexpr std::uint32_t kFrameType = 0xa55a0000;
constexpr std::uint32_t kFrameJson = 2;
constexpr std::uint32_t kFrameText = 3;

LogSettings process_settings;
pthread_once_t process_settings_once = PTHREAD_ONCE_INIT;

void read_process_settings() { process_settings = LogSettings::from_environment(); }

std::string_view level_name(LogLevel level) { return kLevels[static_cast<int>(level)]; }

// "2026-01-31T12:00:00.123Z"
void append_time(Buffer& out, std::int64_t time_us) {
  const std::time_t seconds = time_us / 1'000'000;
  std::tm utc = {};
  ::gmtime_r(&seconds, &utc);
  char text[80];
  const int size =
      std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                    utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<int>(time_us / 1000 % 1000));
  out.append({text, static_cast<std::size_t>(size)});
}

void append_json(Buffer& out, const LogEntry& entry) {
  out.append("{\"timestamp\":\"");
  append_time(out, entry.time_us);
  out.append("\",\"level\":\"").append(level_name(entry.level)).append("\"");
  if (!entry.request_id.empty()) {
    out.append(",\"requestId\":");
    append_escaped_json(out, entry.request_id);
  }
  out.append(",\"message\":");
  append_escaped_json(out, entry.message);
  if (!entry.fields.empty()) out.append(",").append(entry.fields);
  out.append("}");
}

void append_text(Buffer& out, const LogEntry& entry) {
  out.append("[").append(level_name(entry.level)).append("]\t");
  append_time(out, entry.time_us);
  out.append("\t").append(entry.request_id).append("\t").append(entry.message);
  if (!entry.fields.empty()) out.append("\t{").append(entry.fields).append("}");
}

void put_big_endian(char* out, std::uint64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i, number >>= 8) out[i] = static_cast<char>(number & 0xff);
}

pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

enum class Sink { kFile, kSocket };

// All of it or nothing, as far as that is to be had: what is cut within a frame makes all that follows unreadable.
// False: nothing of it.
bool write_all(int descriptor, Sink sink, std::string_view bytes) {
  const std::size_t whole = bytes.size();
  while (!bytes.empty()) {
    // A platform that has closed its socket is not to end the process by a signal.
    const ssize_t written = sink == Sink::kSocket ? ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL)
                                                  : ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN && bytes.size() < whole) {
      pollfd waiting = {descriptor, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
      continue;
    }
    if (written <= 0) return bytes.size() < whole;
    bytes = slice(bytes, static_cast<std::size_t>(written));
  }
  return true;
}

// A connection, or -1.
int connect_to(std::string_view path) {
  sockaddr_un address = {};
  if (path.empty() || path.size() >= sizeof address.sun_path) return -1;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int connection = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return -1;
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return connection;
  ::close(connection);
  return -1;
}

}  // namespace

LogSettings LogSettings::from_environment() {
  LogSettings settings;
  settings.lines_fd = connect_to(variable_text(variable::kTelemetryLogSocket));
  settings.json = settings.lines_fd >= 0 || equals_ignoring_case(variable_text(variable::kLogFormat), "JSON");
  if (settings.json) settings.least = LogLevel::kInfo;
  const std::string_view level = variable_text(variable::kLogLevel);
  for (int i = 0; i < 6; ++i) {
    if (equals_ignoring_case(level, kLevels[i])) settings.least = static_cast<LogLevel>(i);
  }
  if (settings.lines_fd < 0) {
    settings.frames_fd = static_cast<int>(parse_decimal(variable_text(variable::kTelemetryLogFd), kDescriptorMax));
  }
  return settings;
}

const LogSettings& process_log_settings() {
  ::pthread_once(&process_settings_once, read_process_settings);
  return process_settings;
}

void append_log_entry(Buffer& out, const LogSettings& settings, const LogEntry& entry) {
  const std::size_t begin = out.size();
  const bool framed = settings.frames_fd >= 0;
  constexpr char kRoom[kFrameHeadBytes] = {};
  if (framed) out.append({kRoom, sizeof kRoom});
  settings.json ? append_json(out, entry) : append_text(out, entry);
  if (!framed) {
    out.append("\n");
    return;
  }
  if (!out.ok()) return;
  char* head = out.data() + begin;
  const auto level = static_cast<std::uint32_t>(entry.level) + 1;
  put_big_endian(head, kFrameType | level << 2 | (settings.json ? kFrameJson : kFrameText), 4);
  put_big_endian(head + 4, out.size() - begin - kFrameHeadBytes, 4);
  put_big_endian(head + 8, static_cast<std::uint64_t>(entry.time_us), 8);
}

void write_log(const LogSettings& settings, LogLevel level, std::string_view message, std::string_view request_id,
               std::string_view fields) {
  if (level < settings.least) return;
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  Buffer entry;
  append_log_entry(entry, settings,
                   {.level = level,
                    .message = message,
                    .request_id = request_id,
                    .fields = fields,
                    .time_us = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000});
  if (!entry.ok()) return;
  ::pthread_mutex_lock(&writing);
  if (settings.lines_fd < 0) {
    write_all(settings.frames_fd >= 0 ? settings.frames_fd : STDERR_FILENO, Sink::kFile, entry.view());
  } else if (!write_all(settings.lines_fd, Sink::kSocket, entry.view())) {
    write_all(STDERR_FILENO, Sink::kFile, entry.view());
  }
  ::pthread_mutex_unlock(&writing);
}

}  // namespace ogni::runtime
