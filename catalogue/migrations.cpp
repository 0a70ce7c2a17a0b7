#include "catalogue/migrations.h"

#include <array>
#include <string>

namespace ogni::catalogue {

namespace {

// Times are milliseconds since the Unix epoch. `environment` and `tags` are JSON objects of strings,
// `compatible_*` JSON arrays of strings, `inert` the JSON object of FunctionSettings::inert_json. `layers`
// outlives its versions, so that their numbers are never given out again.
constexpr const char* kFunctionsAndLayers = R"sql(
CREATE TABLE functions (
  instance INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  generation INTEGER NOT NULL,
  revision_id TEXT NOT NULL,
  last_modified INTEGER NOT NULL,
  state TEXT NOT NULL,
  update_status TEXT NOT NULL,
  code_sha256 TEXT NOT NULL,
  code_zip_bytes INTEGER NOT NULL,
  code_unzipped_bytes INTEGER NOT NULL,
  runtime TEXT NOT NULL,
  role TEXT NOT NULL,
  handler TEXT NOT NULL,
  description TEXT NOT NULL,
  timeout_seconds INTEGER NOT NULL,
  memory_mb INTEGER NOT NULL,
  ephemeral_storage_mb INTEGER NOT NULL,
  architecture TEXT NOT NULL,
  package_type TEXT NOT NULL,
  tracing_mode TEXT NOT NULL,
  environment TEXT,
  inert TEXT NOT NULL,
  tags TEXT NOT NULL
) STRICT;
CREATE TABLE function_layers (
  instance INTEGER NOT NULL REFERENCES functions(instance) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  arn TEXT NOT NULL,
  code_sha256 TEXT NOT NULL,
  code_zip_bytes INTEGER NOT NULL,
  code_unzipped_bytes INTEGER NOT NULL,
  PRIMARY KEY (instance, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE layers (
  name TEXT NOT NULL PRIMARY KEY,
  last_version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE layer_versions (
  layer_name TEXT NOT NULL REFERENCES layers(name),
  version INTEGER NOT NULL,
  description TEXT NOT NULL,
  license_info TEXT NOT NULL,
  compatible_runtimes TEXT NOT NULL,
  compatible_architectures TEXT NOT NULL,
  created INTEGER NOT NULL,
  code_sha256 TEXT NOT NULL,
  code_zip_bytes INTEGER NOT NULL,
  code_unzipped_bytes INTEGER NOT NULL,
  PRIMARY KEY (layer_name, version)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array kSteps = {kFunctionsAndLayers};

}  // namespace

int newest_schema() { return static_cast<int>(kSteps.size()); }

Result<void> migrate(sqlite::Database& database) {
  auto found = database.integer("PRAGMA user_version");
  if (!found) return failure(std::move(found).error());
  if (*found < 0 || *found > newest_schema()) {
    return failure(ErrorCode::kInvalidArgument, "the catalogue was written by a newer program (schema " +
                                                    std::to_string(*found) + "; this one knows up to " +
                                                    std::to_string(newest_schema()) +
                                                    "): use that program or another data directory");
  }
  for (auto step = static_cast<std::size_t>(*found); step < kSteps.size(); ++step) {
    auto transaction = sqlite::Transaction::begin(database);
    if (!transaction) return failure(std::move(transaction).error());
    if (auto done = database.execute(kSteps[step]); !done) return done;
    const std::string mark = "PRAGMA user_version = " + std::to_string(step + 1);
    if (auto done = database.execute(mark.c_str()); !done) return done;
    if (auto done = transaction->commit(); !done) return done;
  }
  return {};
}

}  // namespace ogni::catalogue
