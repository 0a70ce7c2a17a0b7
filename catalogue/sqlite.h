// SQLite with owners and Results: a connection, a prepared statement, a transaction.
//
// One thread at a time uses a Database and everything made from it; statements and transactions do not
// outlive it. Errors: kLimit when the disk is full; kUnavailable when another program holds a lock; kInternal
// for a damaged file; kConflict for a broken UNIQUE constraint; kIo for the rest. Messages carry no values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ogni::catalogue::sqlite {

class [[nodiscard]] Statement {
 public:
  // Parameters are bound in the order of their appearance. A bind that fails is told by step() or run().
  Statement& bind(std::string_view text);
  Statement& bind(std::int64_t number);
  Statement& bind_optional(const std::optional<std::string>& text);  // NULL for none

  // True while there is a row, whose columns can then be read.
  [[nodiscard]] Result<bool> step();
  // For what returns no rows. The statement can be bound and run again.
  [[nodiscard]] Result<void> run();
  void reset();

  std::string text(int column) const;
  std::int64_t integer(int column) const;
  std::optional<std::string> optional_text(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(sqlite3* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}

  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int next_parameter_ = 1;
  int bind_status_ = 0;
};

class [[nodiscard]] Database {
 public:
  // Opens or creates `name` in `directory`, a descriptor that outlives the Database. No path is resolved on
  // the way, so it works where the directory's own path cannot be reached.
  [[nodiscard]] static Result<Database> open(int directory, const std::string& name);

  // One or more statements without parameters; rows are ignored.
  [[nodiscard]] Result<void> execute(const char* sql);
  [[nodiscard]] Result<Statement> prepare(std::string_view sql);
  // The first column of the first row. Errors: kInternal if there is no row.
  [[nodiscard]] Result<std::int64_t> integer(std::string_view sql);
  [[nodiscard]] Result<std::string> text(std::string_view sql);

  std::int64_t last_insert_rowid() const;
  std::int64_t changes() const;
  bool in_transaction() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}

  std::unique_ptr<sqlite3, Close> database_;
};

// Rolled back on leaving scope unless committed.
class [[nodiscard]] Transaction {
 public:
  [[nodiscard]] static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  [[nodiscard]] Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace ogni::catalogue::sqlite
