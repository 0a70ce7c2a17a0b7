#include "bootstrap/descriptor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace ogni::bootstrap {

void Descriptor::close() {
  if (value_ >= 0) ::close(std::exchange(value_, -1));
}

Descriptor lift(int descriptor) {
  if (descriptor < 0 || descriptor >= kOwnDescriptorMin) return Descriptor(descriptor);
  Descriptor lifted(::fcntl(descriptor, F_DUPFD_CLOEXEC, kOwnDescriptorMin));
  ::close(descriptor);
  return lifted;
}

bool Pipe::open() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  reading = lift(ends[0]);
  writing = lift(ends[1]);
  return reading && writing;
}

Descriptor memory_file(const char* name, std::string_view content) {
  Descriptor file = lift(::memfd_create(name, MFD_CLOEXEC));
  if (!file || !write_all(file.get(), content) || ::lseek(file.get(), 0, SEEK_SET) != 0) return {};
  return file;
}

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void set_non_blocking(int descriptor) { ::fcntl(descriptor, F_SETFL, O_NONBLOCK); }

}  // namespace ogni::bootstrap
