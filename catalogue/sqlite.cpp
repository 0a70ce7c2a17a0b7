#include "catalogue/sqlite.h"

#include <sqlite3.h>

#include <cstdio>

namespace ogni::catalogue::sqlite {

namespace {

// SQLite's own VFS resolves every symbolic link of a name before it opens it, and so turns /proc/self/fd/N
// back into the directory's path, which may lie below a closed parent. This one is the same but takes names
// as they are.
constexpr const char* kVfsName = "ogni-unix";

int keep_full_pathname(sqlite3_vfs*, const char* name, int bytes, char* out) {
  const int length = std::snprintf(out, static_cast<size_t>(bytes), "%s", name);
  return length >= 0 && length < bytes ? SQLITE_OK : SQLITE_CANTOPEN;
}

sqlite3_vfs make_vfs() {
  sqlite3_vfs vfs = *::sqlite3_vfs_find("unix");
  vfs.zName = kVfsName;
  vfs.pNext = nullptr;
  vfs.xFullPathname = keep_full_pathname;
  return vfs;
}

// SQLite keeps a process-wide list of file systems; it wants the record to stay where it is.
int register_vfs() {
  static sqlite3_vfs vfs = make_vfs();
  static const int status = ::sqlite3_vfs_register(&vfs, /*makeDflt=*/0);
  return status;
}

Error error_of(sqlite3* database, int status) {
  const int extended = database != nullptr ? ::sqlite3_extended_errcode(database) : status;
  const int system = database != nullptr ? ::sqlite3_system_errno(database) : 0;
  const int primary = status & 0xff;
  if (primary == SQLITE_FULL || extended == SQLITE_IOERR_SHMSIZE ||
      ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && (system == ENOSPC || system == EDQUOT))) {
    return {ErrorCode::kLimit, "no space left on the device"};
  }
  const std::string words = database != nullptr ? ::sqlite3_errmsg(database) : ::sqlite3_errstr(status);
  switch (primary) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::kInternal, "the database is damaged: " + words};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kUnavailable, "another program holds the database: " + words};
    case SQLITE_CONSTRAINT:
      if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY) {
        return {ErrorCode::kConflict, words};
      }
      return {ErrorCode::kInternal, words};
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
      return {ErrorCode::kInternal, words};
    default: {
      std::string message = words;
      if (system != 0) message += std::string(": ") + std::strerror(system);
      return {ErrorCode::kIo, std::move(message)};
    }
  }
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* database) const { ::sqlite3_close(database); }

Statement& Statement::bind(std::string_view text) {
  // A null pointer would bind NULL, and an empty view may hold one.
  const int status = ::sqlite3_bind_text64(statement_.get(), next_parameter_++, text.empty() ? "" : text.data(),
                                           text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (status != SQLITE_OK) bind_status_ = status;
  return *this;
}

Statement& Statement::bind(std::int64_t number) {
  const int status = ::sqlite3_bind_int64(statement_.get(), next_parameter_++, number);
  if (status != SQLITE_OK) bind_status_ = status;
  return *this;
}

Statement& Statement::bind_optional(const std::optional<std::string>& text) {
  if (text) return bind(std::string_view(*text));
  const int status = ::sqlite3_bind_null(statement_.get(), next_parameter_++);
  if (status != SQLITE_OK) bind_status_ = status;
  return *this;
}

Result<bool> Statement::step() {
  if (bind_status_ != SQLITE_OK) return failure(error_of(nullptr, bind_status_));
  const int status = ::sqlite3_step(statement_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  return failure(error_of(database_, status));
}

Result<void> Statement::run() {
  auto row = step();
  reset();
  if (!row) return failure(std::move(row).error());
  return {};
}

void Statement::reset() {
  ::sqlite3_reset(statement_.get());
  ::sqlite3_clear_bindings(statement_.get());
  next_parameter_ = 1;
  bind_status_ = SQLITE_OK;
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(::sqlite3_column_text(statement_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(::sqlite3_column_bytes(statement_.get(), column))};
}

std::int64_t Statement::integer(int column) const { return ::sqlite3_column_int64(statement_.get(), column); }

std::optional<std::string> Statement::optional_text(int column) const {
  if (::sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return text(column);
}

Result<Database> Database::open(int directory, const std::string& name) {
  if (const int status = register_vfs(); status != SQLITE_OK) return failure(error_of(nullptr, status));
  const std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + name;
  sqlite3* opened = nullptr;
  const int status = ::sqlite3_open_v2(
      path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      kVfsName);
  Database database(opened);  // owned also on failure, as SQLite asks
  if (status != SQLITE_OK) return failure(error_of(opened, status));
  return database;
}

Result<void> Database::execute(const char* sql) {
  const int status = ::sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) return failure(error_of(database_.get(), status));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* prepared = nullptr;
  const int status =
      ::sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &prepared, nullptr);
  if (status != SQLITE_OK) return failure(error_of(database_.get(), status));
  return Statement(database_.get(), prepared);
}

namespace {

Result<Statement> first_row(Database& database, std::string_view sql) {
  auto statement = database.prepare(sql);
  if (!statement) return statement;
  auto row = statement->step();
  if (!row) return failure(std::move(row).error());
  if (!*row) return failure(ErrorCode::kInternal, "a query gave no row");
  return statement;
}

}  // namespace

Result<std::int64_t> Database::integer(std::string_view sql) {
  auto row = first_row(*this, sql);
  if (!row) return failure(std::move(row).error());
  return row->integer(0);
}

Result<std::string> Database::text(std::string_view sql) {
  auto row = first_row(*this, sql);
  if (!row) return failure(std::move(row).error());
  return row->text(0);
}

std::int64_t Database::last_insert_rowid() const { return ::sqlite3_last_insert_rowid(database_.get()); }
std::int64_t Database::changes() const { return ::sqlite3_changes64(database_.get()); }
bool Database::in_transaction() const { return ::sqlite3_get_autocommit(database_.get()) == 0; }

Result<Transaction> Transaction::begin(Database& database) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return failure(std::move(begun).error());
  return Transaction(database);
}

Transaction::~Transaction() {
  // Some errors (a full disk) have rolled back already.
  if (database_ == nullptr || !database_->in_transaction()) return;
  (void)database_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  auto done = database_->execute("COMMIT");
  if (!done) return done;
  database_ = nullptr;
  return {};
}

}  // namespace ogni::catalogue::sqlite
