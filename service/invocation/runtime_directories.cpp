#include "service/invocation/runtime_directories.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "base/system.h"

namespace ogni::service {
namespace {

constexpr const char* kCertificates = "/etc/ssl/certs/ca-certificates.crt";

Result<void> have_directory(int parent, const std::string& name) {
  if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST) return failure(Error::from_errno("mkdir " + name));
  if (::fchmodat(parent, name.c_str(), 0755, 0) != 0) return failure(Error::from_errno("chmod " + name));
  return {};
}

Result<void> have_link(int parent, const std::string& name, const std::string& target) {
  std::array<char, 4096> there;
  const ssize_t size = ::readlinkat(parent, name.c_str(), there.data(), there.size());
  if (size >= 0 && std::string_view(there.data(), static_cast<std::size_t>(size)) == target) return {};
  if (::unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT) return failure(Error::from_errno("unlink " + name));
  if (::symlinkat(target.c_str(), parent, name.c_str()) != 0) return failure(Error::from_errno("symlink " + name));
  return {};
}

Result<void> copy_bootstrap(int base, const std::string& name) {
  auto source = open_at(base, "bootstrap", O_RDONLY | O_NOFOLLOW);
  if (!source) return failure(std::move(source).error());
  auto target = open_at(base, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0755);
  if (!target) return failure(std::move(target).error());
  for (ssize_t count = 1; count > 0;) {
    count = ::sendfile(target->get(), source->get(), nullptr, 1 << 20);
    if (count < 0) return failure(Error::from_errno("copy " + name));
  }
  if (::fchmod(target->get(), 0755) != 0) return failure(Error::from_errno("chmod " + name));
  struct stat status{};
  if (::fstat(source->get(), &status) != 0) return failure(Error::from_errno("stat bootstrap"));
  const std::array times = {status.st_atim, status.st_mtim};
  if (::futimens(target->get(), times.data()) != 0) return failure(Error::from_errno("date " + name));
  return {};
}

bool is_same(const struct stat& one, const struct stat& other) {
  return S_ISREG(one.st_mode) && one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
         one.st_mtim.tv_nsec == other.st_mtim.tv_nsec && (one.st_mode & 0777) == 0755;
}

// A link to the one of all runtimes, or a copy where only its owner may link to it.
Result<void> have_bootstrap(int base, const std::string& name) {
  struct stat wanted{};
  struct stat there{};
  if (::fstatat(base, "bootstrap", &wanted, AT_SYMLINK_NOFOLLOW) != 0) {
    return failure(Error::from_errno("stat bootstrap"));
  }
  if (::fstatat(base, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 && is_same(there, wanted)) return {};
  if (::unlinkat(base, name.c_str(), 0) != 0 && errno != ENOENT) return failure(Error::from_errno("unlink " + name));
  if (::linkat(base, "bootstrap", base, name.c_str(), 0) == 0) return {};
  return copy_bootstrap(base, name);
}

// The names that AWS's own directory of the language has for its interpreter.
std::vector<std::string> names_of(const std::string& runtime) {
  if (runtime.starts_with("python")) return {"python", "python3", runtime};
  if (runtime.starts_with("nodejs")) return {"node"};
  if (runtime.starts_with("ruby")) return {"ruby"};
  return {"java"};
}

}  // namespace

Result<Fd> RuntimeDirectories::make(const std::string& runtime, const std::string& interpreter) const {
  const int base = directory_.get();
  for (const char* part : {"", "/lang", "/lang/bin"}) {
    if (auto made = have_directory(base, runtime + part); !made) return failure(std::move(made).error());
  }
  if (auto there = have_bootstrap(base, runtime + "/bootstrap"); !there) return failure(std::move(there).error());
  if (!interpreter.empty()) {
    for (const std::string& name : names_of(runtime)) {
      auto linked = have_link(base, runtime + "/lang/bin/" + name, interpreter);
      if (!linked) return failure(std::move(linked).error());
    }
  }
  if (auto linked = have_link(base, runtime + "/ca-cert.pem", kCertificates); !linked) {
    return failure(std::move(linked).error());
  }
  return open_at(base, runtime, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<int> RuntimeDirectories::of(const std::string& runtime, const std::string& interpreter) {
  auto found = made_.find(runtime);
  if (found == made_.end()) {
    auto made = make(runtime, interpreter);
    if (!made) return failure(std::move(made).error().within("make the directory of " + runtime));
    found = made_.emplace(runtime, std::move(*made)).first;
  }
  return found->second.get();
}

}  // namespace ogni::service
