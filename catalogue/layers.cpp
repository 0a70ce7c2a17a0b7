#include <charconv>

#include "catalogue/catalogue_impl.h"
#include "catalogue/codec.h"

namespace ogni::catalogue {

namespace {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

constexpr std::size_t kPageItemsMax = 10'000;
constexpr const char* kLayersList = "layers";

constexpr std::string_view kSelect =
    "SELECT layer_name, version, description, license_info, compatible_runtimes, compatible_architectures, "
    "created, "
    "code_sha256, code_zip_bytes, code_unzipped_bytes FROM layer_versions ";

// Two parameters each for the runtime and the architecture, bound by bind_filter().
constexpr std::string_view kMatches =
    "(? = '' OR EXISTS (SELECT 1 FROM json_each(compatible_runtimes) WHERE value = ?)) AND "
    "(? = '' OR EXISTS (SELECT 1 FROM json_each(compatible_architectures) WHERE value = ?)) ";

void bind_filter(Statement& statement, const Catalogue::LayerFilter& filter) {
  statement.bind(filter.runtime).bind(filter.runtime).bind(filter.architecture).bind(filter.architecture);
}

Result<LayerVersion> read(const Statement& row) {
  LayerVersion layer;
  layer.layer_name = row.text(0);
  layer.version = row.integer(1);
  layer.description = row.text(2);
  layer.license_info = row.text(3);
  auto runtimes = list_from_json(row.text(4));
  auto architectures = list_from_json(row.text(5));
  if (!runtimes) return failure(std::move(runtimes).error());
  if (!architectures) return failure(std::move(architectures).error());
  layer.compatible_runtimes = std::move(*runtimes);
  layer.compatible_architectures = std::move(*architectures);
  layer.created = time_from_ms(row.integer(6));
  layer.code = read_code(row, 7);
  return layer;
}

// At most `items_max` items of a statement that was told to give one more. `key` makes the marker of the last
// item.
Result<Page<LayerVersion>> read_page(Statement& statement, std::size_t items_max, std::string_view list, auto key) {
  Page<LayerVersion> page;
  for (;;) {
    auto row = statement.step();
    if (!row) return failure(std::move(row).error());
    if (!*row) return page;
    if (page.items.size() == items_max) {
      page.next_marker = make_marker(list, key(page.items.back()));
      return page;
    }
    auto layer = read(statement);
    if (!layer) return failure(std::move(layer).error());
    page.items.push_back(std::move(*layer));
  }
}

auto empty_page() { return failure(ErrorCode::kInvalidArgument, "a page holds at least one item"); }

// The next number of the layer: counted in a row that outlives the versions.
Result<std::int64_t> take_version(Database& database, const std::string& layer) {
  auto statement = database.prepare(
      "INSERT INTO layers VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET last_version = last_version + 1 "
      "RETURNING last_version");
  if (!statement) return failure(std::move(statement).error());
  auto row = statement->bind(layer).step();
  if (!row) return failure(std::move(row).error());
  const std::int64_t version = statement->integer(0);
  if (auto end = statement->step(); !end) return failure(std::move(end).error());
  return version;
}

}  // namespace

Result<LayerVersion> Catalogue::publish_layer_version(LayerVersion draft) {
  Database& database = impl_->database;
  auto runtimes = to_json(draft.compatible_runtimes);
  auto architectures = to_json(draft.compatible_architectures);
  if (!runtimes) return failure(std::move(runtimes).error().within("compatible runtimes"));
  if (!architectures) return failure(std::move(architectures).error().within("compatible architectures"));
  auto transaction = Transaction::begin(database);
  if (!transaction) return failure(std::move(transaction).error());
  auto version = take_version(database, draft.layer_name);
  if (!version) return failure(std::move(version).error());
  const long long created = to_epoch_ms(std::chrono::system_clock::now());
  auto insert = database.prepare("INSERT INTO layer_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return failure(std::move(insert).error());
  insert->bind(draft.layer_name)
      .bind(*version)
      .bind(draft.description)
      .bind(draft.license_info)
      .bind(*runtimes)
      .bind(*architectures)
      .bind(std::int64_t{created});
  bind_code(*insert, draft.code);
  if (auto done = insert->run(); !done) return failure(std::move(done).error());
  if (auto done = transaction->commit(); !done) return failure(std::move(done).error());
  draft.version = *version;
  draft.created = time_from_ms(created);
  return draft;
}

Result<LayerVersion> Catalogue::layer_version(const std::string& layer, long long version) {
  auto statement = impl_->database.prepare(std::string(kSelect) + "WHERE layer_name = ? AND version = ?");
  if (!statement) return failure(std::move(statement).error());
  auto row = statement->bind(layer).bind(std::int64_t{version}).step();
  if (!row) return failure(std::move(row).error());
  if (!*row) return failure(ErrorCode::kNotFound, "no such layer version");
  return read(*statement);
}

Result<Page<LayerVersion>> Catalogue::layer_versions(const std::string& layer, const LayerFilter& filter,
                                                     const std::string& marker, std::size_t items_max) {
  if (items_max == 0) return empty_page();
  items_max = std::min(items_max, kPageItemsMax);
  const std::string list = "versions of " + layer;
  std::int64_t below = INT64_MAX;
  if (!marker.empty()) {
    auto key = read_marker(list, marker);
    if (!key) return failure(std::move(key).error());
    const char* end = key->data() + key->size();
    const auto [rest, status] = std::from_chars(key->data(), end, below);
    if (status != std::errc() || rest != end) {
      return failure(ErrorCode::kInvalidArgument, "the marker is not one that a list gave out");
    }
  }
  auto statement = impl_->database.prepare(std::string(kSelect) + "WHERE layer_name = ? AND version < ? AND " +
                                           std::string(kMatches) + "ORDER BY version DESC LIMIT ?");
  if (!statement) return failure(std::move(statement).error());
  statement->bind(layer).bind(below);
  bind_filter(*statement, filter);
  statement->bind(static_cast<std::int64_t>(items_max + 1));
  return read_page(*statement, items_max, list, [](const LayerVersion& last) { return std::to_string(last.version); });
}

Result<Page<LayerVersion>> Catalogue::layers(const LayerFilter& filter, const std::string& marker,
                                             std::size_t items_max) {
  if (items_max == 0) return empty_page();
  items_max = std::min(items_max, kPageItemsMax);
  std::string after;
  if (!marker.empty()) {
    auto key = read_marker(kLayersList, marker);
    if (!key) return failure(std::move(key).error());
    after = std::move(*key);
  }
  auto statement = impl_->database.prepare(
      std::string(kSelect) +
      "JOIN (SELECT layer_name AS newest_name, max(version) AS newest FROM layer_versions WHERE layer_name > "
      "? AND " +
      std::string(kMatches) +
      "GROUP BY layer_name) ON layer_name = newest_name AND version = newest ORDER BY layer_name LIMIT ?");
  if (!statement) return failure(std::move(statement).error());
  statement->bind(after);
  bind_filter(*statement, filter);
  statement->bind(static_cast<std::int64_t>(items_max + 1));
  return read_page(*statement, items_max, kLayersList, [](const LayerVersion& last) { return last.layer_name; });
}

Result<void> Catalogue::delete_layer_version(const std::string& layer, long long version) {
  auto statement = impl_->database.prepare("DELETE FROM layer_versions WHERE layer_name = ? AND version = ?");
  if (!statement) return failure(std::move(statement).error());
  return statement->bind(layer).bind(std::int64_t{version}).run();
}

}  // namespace ogni::catalogue
