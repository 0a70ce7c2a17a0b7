#include "base/temporary_directory.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace ogni {

TemporaryDirectory::TemporaryDirectory() {
  std::string path = (std::filesystem::temp_directory_path() / "ogni-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp " + path);
  path_ = path;
  descriptor_ = open();
}

Fd TemporaryDirectory::open() const { return Fd(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)); }

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  // A test may have left directories that even their owner cannot enter.
  for (auto it = std::filesystem::recursive_directory_iterator(
           path_, std::filesystem::directory_options::skip_permission_denied, ignored);
       it != std::filesystem::recursive_directory_iterator(); it.increment(ignored)) {
    if (it->is_directory(ignored) && !it->is_symlink(ignored)) {
      std::filesystem::permissions(it->path(), std::filesystem::perms::owner_all, std::filesystem::perm_options::add,
                                   ignored);
    }
  }
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace ogni
