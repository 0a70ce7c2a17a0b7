#include "catalogue/code_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <set>

#include "base/digest.h"
#include "base/system.h"
#include "catalogue/merged_tree.h"
#include "catalogue/tree.h"
#include "catalogue/zip_extractor.h"

namespace ogni::catalogue {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kZip = "zip";
constexpr const char* kTree = "tree";
constexpr const char* kUnzippedBytes = "unzipped_bytes";  // decimal, beside zip and tree
constexpr const char* kLayers = "layers";                 // beside a merged tree: its layers, one per line
constexpr const char* kAdding = ".adding-";
constexpr const char* kRemoving = ".removing-";
// A caller has stored a zip but not yet said so in the catalogue: for this long it counts as used.
constexpr auto kPinned = std::chrono::minutes(10);
constexpr std::size_t kLayersPerListMax = 16;

bool is_key(std::string_view name) {
  return name.size() == 64 &&
         std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string random_name(const char* prefix) { return prefix + make_uuid(); }

Result<Fd> make_directory(int parent, const std::string& name, mode_t mode = 0700) {
  if (::mkdirat(parent, name.c_str(), mode) != 0 && errno != EEXIST) return failure(disk_error("make " + name));
  return open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<void> write_file(int directory, const char* name, std::string_view bytes) {
  auto file = open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!file) return failure(disk_error(std::move(file).error()));
  auto written = write_all(file->get(), bytes);
  if (!written) return failure(disk_error(std::move(written).error()));
  return {};
}

Result<void> remove_leftovers(int directory) {
  auto names = list_directory(directory);
  if (!names) return failure(std::move(names).error());
  for (const auto& name : *names) {
    if (!name.starts_with(kAdding) && !name.starts_with(kRemoving)) continue;
    if (auto removed = remove_tree(directory, name); !removed) return removed;
  }
  return {};
}

// A directory under a name of its own that is removed again unless it was put in its place.
class Draft {
 public:
  static Result<Draft> make(int parent) {
    std::string name = random_name(kAdding);
    auto directory = make_directory(parent, name);
    if (!directory) return failure(std::move(directory).error());
    return Draft(parent, std::move(name), std::move(*directory));
  }
  Draft(Draft&& other) noexcept
      : parent_(other.parent_), name_(std::exchange(other.name_, {})), directory_(std::move(other.directory_)) {}
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    if (!name_.empty()) (void)remove_tree(parent_, name_);
  }
  int get() const { return directory_.get(); }

  // Gives it its final name. An entry that is there already is the same and wins.
  Result<void> place(const std::string& name) {
    if (::renameat(parent_, name_.c_str(), parent_, name.c_str()) == 0) {
      name_.clear();
      return {};
    }
    if (errno == EEXIST || errno == ENOTEMPTY) return {};
    return failure(disk_error("store " + name));
  }

 private:
  Draft(int parent, std::string name, Fd directory)
      : parent_(parent), name_(std::move(name)), directory_(std::move(directory)) {}
  int parent_;
  std::string name_;
  Fd directory_;
};

}  // namespace

struct CodeStore::Impl {
  Fd code;
  Fd merged;
  Limits limits;
  // Guards `pins`, and makes finding an entry and pinning it one step against its removal.
  std::mutex mutex;
  std::map<std::string, Clock::time_point> pins;
  std::mutex merging;  // one merge at a time: closed directories are opened up while they are read

  void pin(const std::string& key) {
    const auto now = Clock::now();
    std::erase_if(pins, [now](const auto& entry) { return entry.second < now; });
    pins.insert_or_assign(key, now + kPinned);
  }

  // The unpacked size of an entry that is there; nothing otherwise.
  Result<std::optional<std::uint64_t>> find(const std::string& key) const {
    auto text = read_file_at(code.get(), key + '/' + kUnzippedBytes, 32);
    if (!text && text.error().system_error() == ENOENT) return std::nullopt;
    if (!text) return failure(std::move(text).error());
    std::uint64_t bytes = 0;
    const char* end = text->data() + text->size();
    const auto [rest, status] = std::from_chars(text->data(), end, bytes);
    if (status != std::errc() || rest != end) return failure(ErrorCode::kInternal, "code " + key + " is damaged");
    return bytes;
  }

  // Takes an entry away under a name that nobody looks up.
  Result<std::string> set_aside(int directory, const std::string& key) {
    std::string name = random_name(kRemoving);
    if (::renameat(directory, key.c_str(), directory, name.c_str()) != 0) {
      return failure(Error::from_errno("remove " + key));
    }
    return name;
  }

  Result<Fd> open(const std::string& key, const char* part, int flags) const {
    if (!is_key(key)) return failure(ErrorCode::kNotFound, "no such code");
    auto opened = open_at(code.get(), key + '/' + part, flags | O_NOFOLLOW);
    if (!opened && opened.error().system_error() == ENOENT) return failure(ErrorCode::kNotFound, "no such code");
    return opened;
  }

  Result<Fd> open_merged(const std::string& key) const {
    auto opened = open_at(merged.get(), key + '/' + kTree, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!opened && opened.error().system_error() == ENOENT) return failure(ErrorCode::kNotFound, "not merged yet");
    return opened;
  }

  Result<void> merge(const std::vector<std::string>& layers, const std::string& list, const std::string& key) {
    std::vector<Fd> trees;
    for (const auto& layer : layers) {
      auto tree = open(layer, kTree, O_RDONLY | O_DIRECTORY);
      if (!tree) return failure(std::move(tree).error());
      trees.push_back(std::move(*tree));
    }
    auto draft = Draft::make(merged.get());
    if (!draft) return failure(std::move(draft).error());
    if (auto written = write_file(draft->get(), kLayers, list); !written) return written;
    auto tree = make_directory(draft->get(), kTree);
    if (!tree) return failure(std::move(tree).error());
    if (auto done = merge_trees(trees, tree->get()); !done) return done;
    // Half of it must not outlive a loss of power under its final name.
    if (auto synced = sync_tree(draft->get()); !synced) return synced;
    return draft->place(key);
  }

  Result<void> remove_merged(const std::set<std::string, std::less<>>& in_use) {
    auto names = list_directory(merged.get());
    if (!names) return failure(std::move(names).error());
    for (const auto& name : *names) {
      if (!is_key(name)) continue;
      auto list = read_file_at(merged.get(), name + '/' + kLayers);
      if (!list) return failure(std::move(list).error());
      std::string_view rest = *list;
      bool used = true;
      while (!rest.empty() && used) {
        const std::string_view layer = rest.substr(0, rest.find('\n'));
        used = in_use.contains(layer);
        rest.remove_prefix(std::min(rest.size(), layer.size() + 1));
      }
      if (used) continue;
      auto aside = set_aside(merged.get(), name);
      if (!aside) return failure(std::move(aside).error());
      if (auto removed = remove_tree(merged.get(), *aside); !removed) return removed;
    }
    return {};
  }
};

CodeStore::CodeStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CodeStore::~CodeStore() = default;

Result<std::unique_ptr<CodeStore>> CodeStore::open(int directory, Limits limits) {
  auto impl = std::make_unique<Impl>();
  impl->limits = limits;
  auto code = make_directory(directory, "code");
  auto merged = make_directory(directory, "merged");
  if (!code) return failure(std::move(code).error().within("open the code store"));
  if (!merged) return failure(std::move(merged).error().within("open the code store"));
  impl->code = std::move(*code);
  impl->merged = std::move(*merged);
  for (const int parent : {impl->code.get(), impl->merged.get()}) {
    auto removed = remove_leftovers(parent);
    if (!removed) return failure(std::move(removed).error().within("open the code store"));
  }
  return std::unique_ptr<CodeStore>(new CodeStore(std::move(impl)));
}

Result<CodeReference> CodeStore::add(std::string_view zip) {
  bool stored = false;
  CodeReference reference{.sha256_hex = to_hex(sha256(zip)), .zip_bytes = zip.size()};
  {
    const std::scoped_lock lock(impl_->mutex);
    auto found = impl_->find(reference.sha256_hex);
    if (!found) return failure(std::move(found).error());
    if (*found) {
      impl_->pin(reference.sha256_hex);
      reference.unzipped_bytes = **found;
      stored = true;
    }
  }
  if (!stored) {
    auto draft = Draft::make(impl_->code.get());
    if (!draft) return failure(std::move(draft).error());
    auto tree = make_directory(draft->get(), kTree);
    if (!tree) return failure(std::move(tree).error());
    auto content =
        extract_zip(zip, tree->get(),
                    {.unzipped_bytes_max = impl_->limits.unzipped_bytes_max, .entries_max = impl_->limits.entries_max});
    if (!content) return failure(std::move(content).error());
    reference.unzipped_bytes = content->unzipped_bytes;
    if (auto done = write_file(draft->get(), kZip, zip); !done) return failure(std::move(done).error());
    auto done = write_file(draft->get(), kUnzippedBytes, std::to_string(content->unzipped_bytes));
    if (!done) return failure(std::move(done).error());
    if (auto synced = sync_tree(draft->get()); !synced) return failure(std::move(synced).error());
    const std::scoped_lock lock(impl_->mutex);
    if (auto placed = draft->place(reference.sha256_hex); !placed) return failure(std::move(placed).error());
    impl_->pin(reference.sha256_hex);
  }
  // Also for an entry that was found: whoever placed it may not have come to this line yet.
  if (::fsync(impl_->code.get()) != 0) return failure(disk_error("sync the code store"));
  return reference;
}

Result<Fd> CodeStore::open_tree(const std::string& sha256_hex) const {
  return impl_->open(sha256_hex, kTree, O_PATH | O_DIRECTORY);
}

Result<Fd> CodeStore::open_zip(const std::string& sha256_hex) const { return impl_->open(sha256_hex, kZip, O_RDONLY); }

Result<Fd> CodeStore::merged_tree(const std::vector<std::string>& layers) {
  if (layers.size() > kLayersPerListMax) return failure(ErrorCode::kLimit, "too many layers to merge");
  std::string list;
  for (const auto& layer : layers) {
    if (!is_key(layer)) return failure(ErrorCode::kNotFound, "no such code");
    list += layer;
    list += '\n';
  }
  const std::string key = to_hex(sha256(list));
  const std::scoped_lock lock(impl_->merging);
  auto found = impl_->open_merged(key);
  if (found || found.error().code() != ErrorCode::kNotFound) return found;
  if (auto merged = impl_->merge(layers, list, key); !merged) return failure(std::move(merged).error());
  return impl_->open_merged(key);
}

Result<std::size_t> CodeStore::remove_unused(const std::vector<std::string>& in_use, std::size_t most) {
  std::set<std::string, std::less<>> used(in_use.begin(), in_use.end());
  auto names = list_directory(impl_->code.get());
  if (!names) return failure(std::move(names).error());
  std::size_t removed = 0;
  {
    const std::scoped_lock lock(impl_->mutex);
    const auto now = Clock::now();
    for (const auto& [key, until] : impl_->pins) {
      if (until >= now) used.insert(key);
    }
  }
  {
    const std::scoped_lock lock(impl_->merging);
    if (auto done = impl_->remove_merged(used); !done) return failure(std::move(done).error());
  }
  for (const auto& name : *names) {
    if (removed == most) break;
    if (!is_key(name) || used.contains(name)) continue;
    Result<std::string> aside = [&]() -> Result<std::string> {
      const std::scoped_lock lock(impl_->mutex);
      if (impl_->pins.contains(name)) return std::string();  // added again meanwhile
      return impl_->set_aside(impl_->code.get(), name);
    }();
    if (!aside) return failure(std::move(aside).error());
    if (aside->empty()) continue;
    if (auto done = remove_tree(impl_->code.get(), *aside); !done) return failure(std::move(done).error());
    ++removed;
  }
  return removed;
}

}  // namespace ogni::catalogue
