// The state behind Catalogue, shared by catalogue.cpp, functions.cpp and layers.cpp only.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "catalogue/catalogue.h"
#include "catalogue/sqlite.h"

namespace ogni::catalogue {

struct Catalogue::Impl {
  Fd directory;  // our own descriptor: the database is opened through it
  Fd lock;
  sqlite::Database database;
};

// Completes a function that waits for it; see Catalogue::complete_function.
[[nodiscard]] Result<Function> complete(sqlite::Database& database, std::int64_t instance);

// --- rows ---
// Appends `reference` to the parameters: code_sha256, code_zip_bytes, code_unzipped_bytes.
void bind_code(sqlite::Statement& statement, const CodeReference& reference);
// The three columns that begin at `column`.
CodeReference read_code(const sqlite::Statement& statement, int column);

}  // namespace ogni::catalogue
