// The schema, as numbered steps. A step that has been released never changes; a new one is appended.
#pragma once

#include "base/result.h"
#include "catalogue/sqlite.h"

namespace ogni::catalogue {

// The number of the newest step, kept in PRAGMA user_version.
int newest_schema();

// Brings the database to newest_schema(), each step in a transaction of its own. Errors: kInvalidArgument
// when the database is newer than this program; those of sqlite.h.
[[nodiscard]] Result<void> migrate(sqlite::Database& database);

}  // namespace ogni::catalogue
