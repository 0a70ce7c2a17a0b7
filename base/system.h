// System calls, wrapped once: each returns a Result whose error names the step. Interrupted calls are retried.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace ogni {

// Opens `path` relative to `directory` (AT_FDCWD for the working directory); O_CLOEXEC is always added.
[[nodiscard]] Result<Fd> open_at(int directory, const std::string& path, int flags, mode_t mode = 0);
inline Result<Fd> open_file(const std::string& path, int flags, mode_t mode = 0) {
  return open_at(AT_FDCWD, path, flags, mode);
}

// The whole of a small file. Errors: kTooLarge beyond `bytes_max`; kIo.
[[nodiscard]] Result<std::string> read_file(const std::string& path, size_t bytes_max = 1 << 20);
[[nodiscard]] Result<std::string> read_file_at(int directory, const std::string& path, size_t bytes_max = 1 << 20);
// Writes all of `data`; for pipes, files and blocking sockets.
[[nodiscard]] Result<void> write_all(int fd, std::string_view data);
// One write(2) to an existing file, as the kernel's control files want it.
[[nodiscard]] Result<void> write_control_file(int directory, const std::string& path, std::string_view data);

// One datagram with descriptors over a SOCK_SEQPACKET socket (SCM_RIGHTS).
inline constexpr size_t kDescriptorsPerMessageMax = 16;
struct Message {
  std::string bytes;
  std::vector<Fd> descriptors;
  bool descriptors_lost = false;  // this process has no room for them: none came
};
// Errors: kUnavailable when the peer is gone; kIo, with system_error() EAGAIN when a non-blocking socket is full.
[[nodiscard]] Result<void> send_message(int socket, std::string_view bytes, std::span<const int> descriptors = {});
// Errors: kUnavailable at the peer's end; kIo, with system_error() EAGAIN when nothing is there on a non-blocking
// socket; kTooLarge when the message does not fit `bytes_max`. Received descriptors are close-on-exec.
// For one reader at a time.
[[nodiscard]] Result<Message> receive_message(int socket, size_t bytes_max = 256 * 1024);

struct SocketPair {
  Fd first;
  Fd second;
};
// An AF_UNIX pair, SOCK_SEQPACKET | SOCK_CLOEXEC | `extra_type_flags`.
[[nodiscard]] Result<SocketPair> socket_pair(int extra_type_flags = 0);

// Bytes from the kernel's random source.
void fill_random(std::span<unsigned char> bytes);

}  // namespace ogni
