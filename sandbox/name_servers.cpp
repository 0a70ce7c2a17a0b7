#include "sandbox/name_servers.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "base/system.h"
#include "sandbox/kernel.h"

namespace ogni::sandbox {

namespace {

// Beside the code mounts, where the launcher has no use for the host's /sys.
constexpr const char* kPlace = "/sys/names";
// Only a file that has a name can be attached. A copy loses its name after this many later copies: by then its
// environment has attached it, and keeps it.
constexpr std::uint32_t kNames = 1024;
constexpr std::size_t kBytesMax = std::size_t{64} << 10;
constexpr auto kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

}  // namespace

Result<void> NameServers::have_place() {
  if (has_place_) return {};
  if (::mkdir(kPlace, 0755) != 0 && errno != EEXIST) return failure(Error::from_errno("mkdir"));
  const std::array options = {FileSystemOption{"mode", "0755"}};
  auto place = make_file_system("tmpfs", options, kAttributes);
  if (!place) return failure(std::move(place).error());
  if (auto attached = attach_tree(place->get(), AT_FDCWD, kPlace); !attached) return attached;
  has_place_ = true;
  return {};
}

Result<Fd> NameServers::copy() {
  auto text = read_file("/run/systemd/resolve/resolv.conf", kBytesMax);
  if (!text) text = read_file("/etc/resolv.conf", kBytesMax);
  if (!text) return Fd();
  if (auto there = have_place(); !there) return failure(std::move(there).error());
  const std::string name = std::string(kPlace) + "/" + std::to_string(copies_++ % kNames);
  ::unlink(name.c_str());
  auto file = open_at(AT_FDCWD, name, O_CREAT | O_EXCL | O_WRONLY, 0644);
  if (!file) return file;
  if (auto written = write_all(file->get(), *text); !written) return failure(std::move(written).error());
  auto tree = clone_tree(AT_FDCWD, name, Depth::kTopOnly);
  if (!tree) return tree;
  auto sealed = seal_tree(tree->get(), kAttributes | MOUNT_ATTR_RDONLY, Depth::kTopOnly);
  if (!sealed) return failure(std::move(sealed).error());
  return tree;
}

}  // namespace ogni::sandbox
