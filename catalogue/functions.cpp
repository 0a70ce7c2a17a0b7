#include <array>

#include "catalogue/catalogue_impl.h"
#include "catalogue/codec.h"

namespace ogni::catalogue {

namespace {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

constexpr const char* kListName = "functions";
// A caller that asks for more gets pages of this size.
constexpr std::size_t kPageItemsMax = 10'000;

constexpr std::string_view kSelect =
    "SELECT instance, name, generation, revision_id, last_modified, state, update_status, "
    "code_sha256, code_zip_bytes, code_unzipped_bytes, runtime, role, handler, description, timeout_seconds, "
    "memory_mb, "
    "ephemeral_storage_mb, architecture, package_type, tracing_mode, environment, inert, tags FROM "
    "functions ";

// The settings that are columns of `functions`, in the order of kSelect, as JSON where the column is JSON.
Result<void> bind_settings(Statement& statement, const FunctionSettings& settings) {
  std::optional<std::string> environment;
  if (settings.environment) {
    auto json = to_json(*settings.environment);
    if (!json) return failure(std::move(json).error().within("environment"));
    environment = std::move(*json);
  }
  statement.bind(settings.runtime)
      .bind(settings.role)
      .bind(settings.handler)
      .bind(settings.description)
      .bind(std::int64_t{settings.timeout_seconds})
      .bind(std::int64_t{settings.memory_mb})
      .bind(std::int64_t{settings.ephemeral_storage_mb})
      .bind(settings.architecture)
      .bind(settings.package_type)
      .bind(settings.tracing_mode)
      .bind_optional(environment)
      .bind(settings.inert_json);
  return {};
}

Result<void> write_layers(Database& database, std::int64_t instance, const std::vector<LayerReference>& layers) {
  auto clear = database.prepare("DELETE FROM function_layers WHERE instance = ?");
  if (!clear) return failure(std::move(clear).error());
  if (auto done = clear->bind(instance).run(); !done) return done;
  auto insert = database.prepare("INSERT INTO function_layers VALUES (?, ?, ?, ?, ?, ?)");
  if (!insert) return failure(std::move(insert).error());
  std::int64_t position = 0;
  for (const auto& layer : layers) {
    insert->bind(instance).bind(position++).bind(layer.arn);
    bind_code(*insert, layer.code);
    if (auto done = insert->run(); !done) return done;
  }
  return {};
}

// Reads functions from a statement that begins with kSelect.
class FunctionReader {
 public:
  static Result<FunctionReader> create(Database& database) {
    auto layers = database.prepare(
        "SELECT arn, code_sha256, code_zip_bytes, code_unzipped_bytes FROM function_layers WHERE instance = "
        "? "
        "ORDER BY position");
    if (!layers) return failure(std::move(layers).error());
    return FunctionReader(std::move(*layers));
  }

  Result<Function> read(const Statement& row) {
    Function function;
    function.instance = static_cast<std::uint64_t>(row.integer(0));
    function.name = row.text(1);
    function.generation = static_cast<std::uint64_t>(row.integer(2));
    function.revision_id = row.text(3);
    function.last_modified = time_from_ms(row.integer(4));
    auto state = state_from_text(row.text(5));
    auto update_status = update_status_from_text(row.text(6));
    auto tags = map_from_json(row.text(22));
    if (!state) return failure(std::move(state).error());
    if (!update_status) return failure(std::move(update_status).error());
    if (!tags) return failure(std::move(tags).error());
    function.state = *state;
    function.update_status = *update_status;
    function.code = read_code(row, 7);
    function.tags = std::move(*tags);
    if (auto done = read_settings(row, function.settings); !done) return failure(std::move(done).error());
    if (auto done = read_layers(row.integer(0), function.settings.layers); !done) {
      return failure(std::move(done).error());
    }
    return function;
  }

 private:
  explicit FunctionReader(Statement layers) : layers_(std::move(layers)) {}

  static Result<void> read_settings(const Statement& row, FunctionSettings& settings) {
    settings.runtime = row.text(10);
    settings.role = row.text(11);
    settings.handler = row.text(12);
    settings.description = row.text(13);
    settings.timeout_seconds = static_cast<int>(row.integer(14));
    settings.memory_mb = static_cast<int>(row.integer(15));
    settings.ephemeral_storage_mb = static_cast<int>(row.integer(16));
    settings.architecture = row.text(17);
    settings.package_type = row.text(18);
    settings.tracing_mode = row.text(19);
    if (const auto json = row.optional_text(20)) {
      auto environment = map_from_json(*json);
      if (!environment) return failure(std::move(environment).error());
      settings.environment = std::move(*environment);
    }
    settings.inert_json = row.text(21);
    return {};
  }

  Result<void> read_layers(std::int64_t instance, std::vector<LayerReference>& layers) {
    layers_.reset();
    layers_.bind(instance);
    for (;;) {
      auto row = layers_.step();
      if (!row) return failure(std::move(row).error());
      if (!*row) return {};
      layers.push_back({.arn = layers_.text(0), .code = read_code(layers_, 1)});
    }
  }

  Statement layers_;
};

auto no_such_function() { return failure(ErrorCode::kNotFound, "no such function"); }

// The one function that `where` selects. Errors: kNotFound.
Result<Function> find(Database& database, std::string_view where, const auto& key) {
  auto reader = FunctionReader::create(database);
  if (!reader) return failure(std::move(reader).error());
  auto statement = database.prepare(std::string(kSelect) + std::string(where));
  if (!statement) return failure(std::move(statement).error());
  auto row = statement->bind(key).step();
  if (!row) return failure(std::move(row).error());
  if (!*row) return no_such_function();
  return reader->read(*statement);
}

Result<Function> find_by_name(Database& database, const std::string& name) {
  return find(database, "WHERE name = ?", std::string_view(name));
}
Result<Function> find_by_instance(Database& database, std::int64_t instance) {
  return find(database, "WHERE instance = ?", instance);
}

std::int64_t now_ms() { return to_epoch_ms(std::chrono::system_clock::now()); }

// The function that an update may change now: it exists, has the revision, and no other change is under way.
Result<Function> find_changeable(Database& database, const std::string& name, const std::string& revision_id) {
  auto function = find_by_name(database, name);
  if (!function) return function;
  if (!revision_id.empty() && revision_id != function->revision_id) {
    return failure(ErrorCode::kPrecondition, "the revision is not the latest");
  }
  if (function->state == State::kPending || function->update_status == UpdateStatus::kInProgress) {
    return failure(ErrorCode::kConflict, "an update is in progress");
  }
  return function;
}

// Marks the change of an update: a new generation and revision, InProgress.
Result<void> begin_change(Database& database, std::int64_t instance) {
  auto statement = database.prepare(
      "UPDATE functions SET generation = generation + 1, update_status = ?, revision_id = ?, last_modified = "
      "? "
      "WHERE instance = ?");
  if (!statement) return failure(std::move(statement).error());
  return statement->bind(to_text(UpdateStatus::kInProgress)).bind(make_uuid()).bind(now_ms()).bind(instance).run();
}

}  // namespace

Result<Function> complete(Database& database, std::int64_t instance) {
  auto function = find_by_instance(database, instance);
  if (!function) return function;
  if (function->state != State::kPending && function->update_status != UpdateStatus::kInProgress) return function;
  auto statement =
      database.prepare("UPDATE functions SET state = ?, update_status = ?, revision_id = ? WHERE instance = ?");
  if (!statement) return failure(std::move(statement).error());
  function->state = State::kActive;
  function->update_status = UpdateStatus::kSuccessful;
  function->revision_id = make_uuid();
  auto done = statement->bind(to_text(function->state))
                  .bind(to_text(function->update_status))
                  .bind(function->revision_id)
                  .bind(instance)
                  .run();
  if (!done) return failure(std::move(done).error());
  return function;
}

Result<Function> Catalogue::create_function(const std::string& name, const FunctionSettings& settings,
                                            const CodeReference& code, const std::map<std::string, std::string>& tags) {
  Database& database = impl_->database;
  auto tags_json = to_json(tags);
  if (!tags_json) return failure(std::move(tags_json).error().within("tags"));
  auto transaction = Transaction::begin(database);
  if (!transaction) return failure(std::move(transaction).error());
  auto insert = database.prepare(
      "INSERT INTO functions (name, generation, revision_id, last_modified, state, update_status, "
      "code_sha256, code_zip_bytes, code_unzipped_bytes, runtime, role, handler, description, "
      "timeout_seconds, "
      "memory_mb, ephemeral_storage_mb, architecture, package_type, tracing_mode, environment, inert, tags) "
      "VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return failure(std::move(insert).error());
  insert->bind(name).bind(make_uuid()).bind(now_ms()).bind(to_text(State::kPending)).bind(to_text(UpdateStatus::kNone));
  bind_code(*insert, code);
  if (auto bound = bind_settings(*insert, settings); !bound) return failure(std::move(bound).error());
  auto inserted = insert->bind(*tags_json).run();
  if (!inserted && inserted.error().code() == ErrorCode::kConflict) {
    return failure(ErrorCode::kConflict, "the function exists");
  }
  if (!inserted) return failure(std::move(inserted).error());
  const std::int64_t instance = database.last_insert_rowid();
  if (auto done = write_layers(database, instance, settings.layers); !done) return failure(std::move(done).error());
  auto function = find_by_instance(database, instance);
  if (!function) return function;
  if (auto done = transaction->commit(); !done) return failure(std::move(done).error());
  return function;
}

Result<Function> Catalogue::complete_function(std::uint64_t instance) {
  auto transaction = Transaction::begin(impl_->database);
  if (!transaction) return failure(std::move(transaction).error());
  auto function = complete(impl_->database, static_cast<std::int64_t>(instance));
  if (!function) return function;
  if (auto done = transaction->commit(); !done) return failure(std::move(done).error());
  return function;
}

Result<Function> Catalogue::function(const std::string& name) { return find_by_name(impl_->database, name); }

Result<Page<Function>> Catalogue::functions(const std::string& marker, std::size_t items_max) {
  if (items_max == 0) return failure(ErrorCode::kInvalidArgument, "a page holds at least one item");
  items_max = std::min(items_max, kPageItemsMax);
  std::string after;
  if (!marker.empty()) {
    auto key = read_marker(kListName, marker);
    if (!key) return failure(std::move(key).error());
    after = std::move(*key);
  }
  auto reader = FunctionReader::create(impl_->database);
  if (!reader) return failure(std::move(reader).error());
  auto statement = impl_->database.prepare(std::string(kSelect) + "WHERE name > ? ORDER BY name LIMIT ?");
  if (!statement) return failure(std::move(statement).error());
  statement->bind(after).bind(static_cast<std::int64_t>(items_max + 1));
  Page<Function> page;
  for (;;) {
    auto row = statement->step();
    if (!row) return failure(std::move(row).error());
    if (!*row) return page;
    if (page.items.size() == items_max) {
      page.next_marker = make_marker(kListName, page.items.back().name);
      return page;
    }
    auto function = reader->read(*statement);
    if (!function) return failure(std::move(function).error());
    page.items.push_back(std::move(*function));
  }
}

Result<Function> Catalogue::update_code(const std::string& name, const CodeReference& code,
                                        const std::optional<std::string>& architecture,
                                        const std::string& revision_id) {
  Database& database = impl_->database;
  auto transaction = Transaction::begin(database);
  if (!transaction) return failure(std::move(transaction).error());
  auto function = find_changeable(database, name, revision_id);
  if (!function) return function;
  const auto instance = static_cast<std::int64_t>(function->instance);
  auto update = database.prepare(
      "UPDATE functions SET code_sha256 = ?, code_zip_bytes = ?, code_unzipped_bytes = ?, architecture = ? "
      "WHERE instance = ?");
  if (!update) return failure(std::move(update).error());
  bind_code(*update, code);
  auto updated = update->bind(architecture.value_or(function->settings.architecture)).bind(instance).run();
  if (!updated) return failure(std::move(updated).error());
  if (auto done = begin_change(database, instance); !done) return failure(std::move(done).error());
  function = find_by_instance(database, instance);
  if (!function) return function;
  if (auto done = transaction->commit(); !done) return failure(std::move(done).error());
  return function;
}

Result<Function> Catalogue::update_settings(const std::string& name, const FunctionSettings& settings,
                                            const std::string& revision_id) {
  Database& database = impl_->database;
  auto transaction = Transaction::begin(database);
  if (!transaction) return failure(std::move(transaction).error());
  auto function = find_changeable(database, name, revision_id);
  if (!function) return function;
  const auto instance = static_cast<std::int64_t>(function->instance);
  auto update = database.prepare(
      "UPDATE functions SET runtime = ?, role = ?, handler = ?, description = ?, timeout_seconds = ?, "
      "memory_mb = ?, "
      "ephemeral_storage_mb = ?, architecture = ?, package_type = ?, tracing_mode = ?, environment = ?, "
      "inert = ? "
      "WHERE instance = ?");
  if (!update) return failure(std::move(update).error());
  if (auto bound = bind_settings(*update, settings); !bound) return failure(std::move(bound).error());
  if (auto done = update->bind(instance).run(); !done) return failure(std::move(done).error());
  if (auto done = write_layers(database, instance, settings.layers); !done) return failure(std::move(done).error());
  if (auto done = begin_change(database, instance); !done) return failure(std::move(done).error());
  function = find_by_instance(database, instance);
  if (!function) return function;
  if (auto done = transaction->commit(); !done) return failure(std::move(done).error());
  return function;
}

Result<Function> Catalogue::replace_tags(const std::string& name, const std::map<std::string, std::string>& tags) {
  Database& database = impl_->database;
  auto tags_json = to_json(tags);
  if (!tags_json) return failure(std::move(tags_json).error().within("tags"));
  auto transaction = Transaction::begin(database);
  if (!transaction) return failure(std::move(transaction).error());
  auto function = find_changeable(database, name, "");
  if (!function || function->tags == tags) return function;
  auto update = database.prepare(
      "UPDATE functions SET tags = ?, generation = generation + 1, revision_id = ? WHERE instance = ?");
  if (!update) return failure(std::move(update).error());
  const auto instance = static_cast<std::int64_t>(function->instance);
  const std::string revision_id = make_uuid();
  if (auto done = update->bind(*tags_json).bind(revision_id).bind(instance).run(); !done) {
    return failure(std::move(done).error());
  }
  function = find_by_instance(database, instance);
  if (!function) return function;
  if (auto done = transaction->commit(); !done) return failure(std::move(done).error());
  return function;
}

Result<Function> Catalogue::delete_function(const std::string& name) {
  auto transaction = Transaction::begin(impl_->database);
  if (!transaction) return failure(std::move(transaction).error());
  auto function = find_by_name(impl_->database, name);
  if (!function) return function;
  auto statement = impl_->database.prepare("DELETE FROM functions WHERE instance = ?");
  if (!statement) return failure(std::move(statement).error());
  auto deleted = statement->bind(static_cast<std::int64_t>(function->instance)).run();
  if (!deleted) return failure(std::move(deleted).error());
  if (auto done = transaction->commit(); !done) return failure(std::move(done).error());
  return function;
}

}  // namespace ogni::catalogue
