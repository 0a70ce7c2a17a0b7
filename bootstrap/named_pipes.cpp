#include "bootstrap/named_pipes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace ogni::bootstrap {
namespace {

bool open_pipe(const std::string& path, Pipe& pipe) {
  if (::mkfifo(path.c_str(), 0600) != 0) return false;
  // In this order: to write without blocking, there must be a reader.
  pipe.reading = lift(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  pipe.writing = lift(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  return pipe.reading && pipe.writing;
}

}  // namespace

bool NamedPipes::open() {
  const char* temporary = std::getenv("TMPDIR");
  std::string name = std::string(temporary == nullptr ? "/tmp" : temporary) + "/ogni-pipes-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return false;
  directory_ = name;
  requests_path = directory_ + "/requests";
  replies_path = directory_ + "/replies";
  return open_pipe(requests_path, requests) && open_pipe(replies_path, replies);
}

NamedPipes::~NamedPipes() {
  if (directory_.empty()) return;
  ::unlink(requests_path.c_str());
  ::unlink(replies_path.c_str());
  ::rmdir(directory_.c_str());
}

}  // namespace ogni::bootstrap
