#include "base/system.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace ogni {

Result<Fd> open_at(int directory, const std::string& path, int flags, mode_t mode) {
  for (;;) {
    const int fd = ::openat(directory, path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return Fd(fd);
    if (errno != EINTR) return failure(Error::from_errno("open " + path));
  }
}

namespace {

Result<std::string> read_all(int fd, const std::string& path, size_t bytes_max) {
  std::string content;
  std::array<char, 16384> chunk;
  for (;;) {
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(Error::from_errno("read " + path));
    if (count == 0) return content;
    if (content.size() + static_cast<size_t>(count) > bytes_max) {
      return failure(ErrorCode::kTooLarge, path + " has more than " + std::to_string(bytes_max) + " bytes");
    }
    content.append(chunk.data(), static_cast<size_t>(count));
  }
}

}  // namespace

Result<std::string> read_file_at(int directory, const std::string& path, size_t bytes_max) {
  auto fd = open_at(directory, path, O_RDONLY);
  if (!fd) return failure(std::move(fd).error());
  return read_all(fd->get(), path, bytes_max);
}

Result<std::string> read_file(const std::string& path, size_t bytes_max) {
  return read_file_at(AT_FDCWD, path, bytes_max);
}

Result<void> write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t count = ::write(fd, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(Error::from_errno("write"));
    data.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Result<void> write_control_file(int directory, const std::string& path, std::string_view data) {
  auto fd = open_at(directory, path, O_WRONLY);
  if (!fd) return failure(std::move(fd).error());
  if (::write(fd->get(), data.data(), data.size()) != static_cast<ssize_t>(data.size())) {
    return failure(Error::from_errno("write " + path));
  }
  return {};
}

Result<void> send_message(int socket, std::string_view bytes, std::span<const int> descriptors) {
  if (descriptors.size() > kDescriptorsPerMessageMax) {
    return failure(ErrorCode::kInternal, "too many descriptors in one message");
  }
  iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kDescriptorsPerMessageMax)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof(int) * descriptors.size());
  }
  for (;;) {
    if (::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return {};
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET) return failure(ErrorCode::kUnavailable, "the peer is gone");
    return failure(Error::from_errno("send message"));
  }
}

Result<Message> receive_message(int socket, size_t bytes_max) {
  const auto failed = []() -> Result<Message> {
    if (errno == ECONNRESET) return failure(ErrorCode::kUnavailable, "the peer is gone");
    return failure(Error::from_errno("receive message"));
  };
  // A buffer that could hold any message would be cleared, page by page, each time.
  ssize_t size = 0;
  do {
    size = ::recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return failed();
  Message received;
  received.bytes.resize(std::min(bytes_max, static_cast<size_t>(size)));
  iovec part{.iov_base = received.bytes.data(), .iov_len = received.bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kDescriptorsPerMessageMax)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t count = 0;
  do {
    count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return failed();
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t descriptors = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < descriptors; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      received.descriptors.emplace_back(fd);
    }
  }
  if (count == 0 && received.descriptors.empty()) return failure(ErrorCode::kUnavailable, "the peer is gone");
  if ((message.msg_flags & MSG_TRUNC) != 0) return failure(ErrorCode::kTooLarge, "a message was too large");
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    received.descriptors.clear();
    received.descriptors_lost = true;
  }
  received.bytes.resize(static_cast<size_t>(count));
  return received;
}

Result<SocketPair> socket_pair(int extra_type_flags) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | extra_type_flags, 0, fds) != 0) {
    return failure(Error::from_errno("socketpair"));
  }
  return SocketPair{Fd(fds[0]), Fd(fds[1])};
}

namespace {

void fill_from_kernel(std::span<unsigned char> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::getrandom(bytes.data(), bytes.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) std::abort();  // a kernel without a random source cannot run this program
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

}  // namespace

void fill_random(std::span<unsigned char> bytes) {
  // Names of requests and traces need few bytes each, thousands of times a second: fetched many at a time.
  struct Reserve {
    std::array<unsigned char, 1024> bytes;
    size_t left = 0;
    pid_t owner = 0;  // a forked child must not give out the same ones
  };
  static thread_local Reserve reserve;
  if (bytes.size() > 64) return fill_from_kernel(bytes);
  const pid_t self = ::getpid();
  if (reserve.left < bytes.size() || reserve.owner != self) {
    fill_from_kernel(reserve.bytes);
    reserve.left = reserve.bytes.size();
    reserve.owner = self;
  }
  unsigned char* const from = reserve.bytes.data() + reserve.bytes.size() - reserve.left;
  std::memcpy(bytes.data(), from, bytes.size());
  ::explicit_bzero(from, bytes.size());
  reserve.left -= bytes.size();
}

}  // namespace ogni
