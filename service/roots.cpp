#include "service/roots.h"

#include "base/text.h"
#include "service/managed_runtimes.h"

namespace ogni::service {

Result<RootPointer> Roots::find(const std::map<std::string, std::string>& tags) {
  const auto tag = tags.find(std::string(kRootTag));
  const std::string& name = tag != tags.end() && !tag->second.empty() ? tag->second : options_.name;
  if (name == catalogue::kHostRoot) return RootPointer();
  const bool is_directory = &name == &options_.name && (directory_ || options_.directory);
  if (name.empty() && !is_directory) return RootPointer();
  if (!options_.has_namespaces) {
    return failure(ErrorCode::kUnavailable,
                   "A root file system (" + std::string(kRootTag) +
                       ") needs namespaces, which this service runs without: its functions have the host's files.");
  }
  if (!is_directory) return named(name);
  if (!directory_) {
    directory_ =
        std::make_shared<const Root>(Root{.name = options_.name, .lock = {}, .tree = std::move(options_.directory)});
  }
  return directory_;
}

Result<RootPointer> Roots::named(const std::string& name) {
  std::erase_if(held_, [](const auto& entry) { return entry.second.expired(); });
  if (const auto held = held_.find(name); held != held_.end()) {
    auto root = held->second.lock();
    if (root && store_.is_current(name, root->lock)) return root;
  }
  auto held = store_.hold(name);
  if (!held && held.error().code() == ErrorCode::kNotFound) {
    return failure(ErrorCode::kNotFound, "The root file system '" + printable(name) + "' (" + std::string(kRootTag) +
                                             ") is not there. Import it with: ogni rootfs import " + printable(name) +
                                             " SOURCE");
  }
  if (!held) return failure(std::move(held).error());
  auto root =
      std::make_shared<const Root>(Root{.name = name, .lock = std::move(held->lock), .tree = std::move(held->tree)});
  held_.insert_or_assign(name, root);
  return root;
}

Result<std::string> Roots::interpreter(const RootPointer& root, const std::string& runtime) {
  if (!root || !is_managed_runtime(runtime)) return std::string();
  std::string found = managed_interpreter_within(root->tree.get(), runtime);
  if (!found.empty()) return found;
  const std::string words = managed_interpreter_words(runtime);
  return failure(ErrorCode::kNotFound, "The runtime " + printable(runtime) + " is not in the root file system " +
                                           printable(root->name) + ": it has no " + words.substr(words.rfind('/') + 1) +
                                           " in /var/lang/bin, /usr/local/bin or /usr/bin.");
}

}  // namespace ogni::service
