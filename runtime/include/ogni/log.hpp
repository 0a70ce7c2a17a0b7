// The function's log as AWS's own runtimes write it: JSON with time, level and request id where the function is configured
// so (AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL), else plain lines.
//
//   ogni::log::info("order accepted", {{"order", 7}, {"express", true}});
//
//   {"timestamp":"2026-01-31T12:00:00.123Z","level":"INFO","requestId":"8476…","message":"order accepted","order":7,…}
//   [INFO]	2026-01-31T12:00:00.123Z	8476…	order accepted	{"order":7,"express":true}
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace ogni::log {

enum class Level { kTrace, kDebug, kInfo, kWarn, kError, kFatal };

// A name and a value of an entry. Refers to its texts: to be made in the call.
class Field {
 public:
  Field(std::string_view name, std::string_view text) : name_(name), kind_(Kind::kText), text_(text) {}
  Field(std::string_view name, const char* text) : Field(name, std::string_view(text)) {}
  Field(std::string_view name, bool truth) : name_(name), kind_(Kind::kTruth), truth_(truth) {}
  Field(std::string_view name, std::floating_point auto number)
      : name_(name), kind_(Kind::kReal), real_(static_cast<double>(number)) {}
  Field(std::string_view name, std::signed_integral auto number) : name_(name), kind_(Kind::kWhole), whole_(number) {}
  Field(std::string_view name, std::unsigned_integral auto number)
      : name_(name), kind_(Kind::kUnsigned), unsigned_(number) {}
  // Any JSON, written as it is.
  static Field json(std::string_view name, std::string_view text) {
    Field field(name, text);
    field.kind_ = Kind::kJson;
    return field;
  }

 private:
  friend void write(Level level, std::string_view message, std::initializer_list<Field> fields);
  enum class Kind { kText, kJson, kTruth, kReal, kWhole, kUnsigned };

  std::string_view name_;
  Kind kind_;
  std::string_view text_;
  bool truth_ = false;
  double real_ = 0;  // what JSON has no number for becomes null
  std::int64_t whole_ = 0;
  std::uint64_t unsigned_ = 0;
};

// Whether entries of this level are written.
bool is_enabled(Level level);

// One entry, in one system call, to stderr or where the platform wants it. The request id is that of the invocation which
// this thread handles. Any thread. Does not throw.
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void trace(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kTrace, message, fields);
}
inline void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kDebug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kInfo, message, fields);
}
inline void warn(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kWarn, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kError, message, fields);
}
inline void fatal(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kFatal, message, fields);
}

}  // namespace ogni::log
