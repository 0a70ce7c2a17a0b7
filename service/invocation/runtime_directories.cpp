#include "service/invocation/runtime_directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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
  if (::unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT) return failure(Error::from_errno("unlink " + name));
  if (::symlinkat(target.c_str(), parent, name.c_str()) != 0) return failure(Error::from_errno("symlink " + name));
  return {};
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
  const std::string bootstrap = runtime + "/bootstrap";
  if (::unlinkat(base, bootstrap.c_str(), 0) != 0 && errno != ENOENT) {
    return failure(Error::from_errno("unlink " + bootstrap));
  }
  if (::linkat(base, "bootstrap", base, bootstrap.c_str(), 0) != 0) {
    return failure(Error::from_errno("link " + bootstrap));
  }
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
