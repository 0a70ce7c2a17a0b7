// Functions and layers, durably.
//
// All calls block on the disk and belong to one thread at a time (the service's catalogue thread). What a
// successful call has done survives kill -9 and loss of power: every change is one SQLite transaction,
// synced. Errors everywhere: kIo/kInternal when the disk or the database refuses; kLimit when the disk is
// full.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "catalogue/model.h"

namespace ogni::catalogue {

template <typename T>
struct Page {
  std::vector<T> items;
  std::string next_marker;  // empty on the last page
};

struct Usage {
  std::uint64_t code_bytes = 0;  // zips of functions and layer versions
  std::uint64_t functions = 0;
};

class Catalogue {
 public:
  // Opens or creates the database in `directory` (a descriptor: the path may not be reachable after root is
  // given up), and brings it to the newest schema. Functions that were Pending or InProgress when the service
  // died are completed. Errors: kConflict when another process holds the directory; kInvalidArgument for a
  // database of a newer program.
  [[nodiscard]] static Result<std::unique_ptr<Catalogue>> open(int directory);
  ~Catalogue();

  // --- functions ---
  // The new function is kPending with a revision; the caller completes it. Errors: kConflict if the name is
  // taken.
  [[nodiscard]] Result<Function> create_function(const std::string& name, const FunctionSettings& settings,
                                                 const CodeReference& code,
                                                 const std::map<std::string, std::string>& tags);
  // Pending → Active, or InProgress → Successful, with a new revision. Errors: kNotFound if `instance` is
  // gone.
  [[nodiscard]] Result<Function> complete_function(std::uint64_t instance);
  // Errors: kNotFound.
  [[nodiscard]] Result<Function> function(const std::string& name);
  // Ordered by name; `marker` is the last page's next_marker or empty. Errors: kInvalidArgument for a foreign
  // marker.
  [[nodiscard]] Result<Page<Function>> functions(const std::string& marker, std::size_t items_max);
  // Replace code or settings: generation + 1, kInProgress, new revision. A non-empty `revision_id` must be
  // the current one. Errors: kNotFound; kPrecondition (revision); kConflict (the function is Pending or
  // InProgress).
  [[nodiscard]] Result<Function> update_code(const std::string& name, const CodeReference& code,
                                             const std::optional<std::string>& architecture,
                                             const std::string& revision_id);
  [[nodiscard]] Result<Function> update_settings(const std::string& name, const FunctionSettings& settings,
                                                 const std::string& revision_id);
  // generation + 1 if they differ, since environments depend on them; the revision stays, as on AWS. Errors: kNotFound;
  // kConflict (the function is Pending or InProgress).
  [[nodiscard]] Result<Function> replace_tags(const std::string& name, const std::map<std::string, std::string>& tags);
  // Errors: kNotFound.
  [[nodiscard]] Result<Function> delete_function(const std::string& name);

  // --- layers ---
  // `draft.version` and `draft.created` are chosen here; version numbers count up and are never reused.
  [[nodiscard]] Result<LayerVersion> publish_layer_version(LayerVersion draft);
  [[nodiscard]] Result<LayerVersion> layer_version(const std::string& layer, long long version);  // kNotFound
  // Newest version first. An empty filter matches all.
  struct LayerFilter {
    std::string runtime;
    std::string architecture;
  };
  [[nodiscard]] Result<Page<LayerVersion>> layer_versions(const std::string& layer, const LayerFilter& filter,
                                                          const std::string& marker, std::size_t items_max);
  // One entry per layer: its newest version that matches.
  [[nodiscard]] Result<Page<LayerVersion>> layers(const LayerFilter& filter, const std::string& marker,
                                                  std::size_t items_max);
  // Deleting what is not there succeeds, as on AWS. Functions that use the version keep it.
  [[nodiscard]] Result<void> delete_layer_version(const std::string& layer, long long version);

  [[nodiscard]] Result<Usage> usage();
  // Every zip that a function or layer version still needs; the rest of the code store may be removed.
  [[nodiscard]] Result<std::vector<std::string>> code_in_use();

 private:
  struct Impl;
  explicit Catalogue(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ogni::catalogue
