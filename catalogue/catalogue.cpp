#include "catalogue/catalogue.h"

#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <climits>

#include "base/system.h"
#include "catalogue/catalogue_impl.h"
#include "catalogue/migrations.h"

namespace ogni::catalogue {

namespace {

constexpr const char* kDatabaseName = "catalogue.db";
constexpr const char* kLockName = "lock";

// WAL with synchronous=FULL syncs the log at every commit: what was acknowledged survives a loss of power.
// The cache is small because the service keeps what it needs often; a log grown by a long run is cut back at
// the next checkpoint.
constexpr const char* kPragmas = R"sql(
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA busy_timeout = 0;
PRAGMA cache_size = -512;
PRAGMA temp_store = MEMORY;
PRAGMA mmap_size = 0;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA journal_size_limit = 1048576;
)sql";

std::string path_of(int directory) {
  std::array<char, PATH_MAX> path;
  const std::string link = "/proc/self/fd/" + std::to_string(directory);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : std::string("the data directory");
}

Result<Fd> lock_directory(int directory) {
  auto lock = open_at(directory, kLockName, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!lock) return lock;
  while (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) {
      return failure(ErrorCode::kConflict,
                     path_of(directory) + " is in use by another ogni: stop it, or choose another data directory");
    }
    return failure(Error::from_errno("lock the data directory"));
  }
  return lock;
}

// SQLite would create the file with the umask's mode; functions' environment variables are in it.
Result<void> create_private(int directory) {
  auto file = open_at(directory, kDatabaseName, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!file) return failure(std::move(file).error());
  return {};
}

Result<void> complete_interrupted(sqlite::Database& database) {
  std::vector<std::int64_t> instances;
  {
    auto waiting =
        database.prepare("SELECT instance FROM functions WHERE state = 'Pending' OR update_status = 'InProgress'");
    if (!waiting) return failure(std::move(waiting).error());
    for (;;) {
      auto row = waiting->step();
      if (!row) return failure(std::move(row).error());
      if (!*row) break;
      instances.push_back(waiting->integer(0));
    }
  }
  if (instances.empty()) return {};
  auto transaction = sqlite::Transaction::begin(database);
  if (!transaction) return failure(std::move(transaction).error());
  for (const std::int64_t instance : instances) {
    if (auto completed = complete(database, instance); !completed) return failure(std::move(completed).error());
  }
  return transaction->commit();
}

Result<void> prepare_database(sqlite::Database& database) {
  auto mode = database.text("PRAGMA journal_mode = WAL");
  if (!mode) return failure(std::move(mode).error());
  if (*mode != "wal") {
    return failure(ErrorCode::kIo, "the data directory's file system cannot hold SQLite's write-ahead log");
  }
  if (auto done = database.execute(kPragmas); !done) return done;
  if (auto done = migrate(database); !done) return done;
  return complete_interrupted(database);
}

}  // namespace

void bind_code(sqlite::Statement& statement, const CodeReference& reference) {
  statement.bind(reference.sha256_hex)
      .bind(static_cast<std::int64_t>(reference.zip_bytes))
      .bind(static_cast<std::int64_t>(reference.unzipped_bytes));
}

CodeReference read_code(const sqlite::Statement& statement, int column) {
  return {.sha256_hex = statement.text(column),
          .zip_bytes = static_cast<std::uint64_t>(statement.integer(column + 1)),
          .unzipped_bytes = static_cast<std::uint64_t>(statement.integer(column + 2))};
}

Catalogue::Catalogue(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Catalogue::~Catalogue() = default;

Result<std::unique_ptr<Catalogue>> Catalogue::open(int directory) {
  auto own = open_at(directory, ".", O_RDONLY | O_DIRECTORY);
  if (!own) return failure(std::move(own).error().within("open the data directory"));
  auto lock = lock_directory(own->get());
  if (!lock) return failure(std::move(lock).error());
  if (auto made = create_private(own->get()); !made) return failure(std::move(made).error());
  auto database = sqlite::Database::open(own->get(), kDatabaseName);
  if (!database) return failure(std::move(database).error().within("open the catalogue"));
  if (auto ready = prepare_database(*database); !ready) {
    return failure(std::move(ready).error().within("open the catalogue"));
  }
  if (::fsync(own->get()) != 0 && errno != EINVAL) return failure(Error::from_errno("sync the data directory"));
  return std::unique_ptr<Catalogue>(
      new Catalogue(std::make_unique<Impl>(std::move(*own), std::move(*lock), std::move(*database))));
}

Result<Usage> Catalogue::usage() {
  auto statement = impl_->database.prepare(
      "SELECT (SELECT count(*) FROM functions), (SELECT total(code_zip_bytes) FROM functions) + "
      "(SELECT total(code_zip_bytes) FROM layer_versions)");
  if (!statement) return failure(std::move(statement).error());
  if (auto row = statement->step(); !row) return failure(std::move(row).error());
  return Usage{.code_bytes = static_cast<std::uint64_t>(statement->integer(1)),
               .functions = static_cast<std::uint64_t>(statement->integer(0))};
}

Result<std::vector<std::string>> Catalogue::code_in_use() {
  auto statement = impl_->database.prepare(
      "SELECT code_sha256 FROM functions UNION SELECT code_sha256 FROM function_layers "
      "UNION SELECT code_sha256 FROM layer_versions");
  if (!statement) return failure(std::move(statement).error());
  std::vector<std::string> in_use;
  for (;;) {
    auto row = statement->step();
    if (!row) return failure(std::move(row).error());
    if (!*row) return in_use;
    in_use.push_back(statement->text(0));
  }
}

}  // namespace ogni::catalogue
