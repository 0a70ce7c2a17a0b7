// Errors as values. What a caller can meet in a healthy system is a Result<T>; an exception means
// "cannot go on": a bug, no memory, or a library's throw.
#pragma once

#include <cerrno>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace ogni {

enum class ErrorCode {
  kInvalidArgument,  // the caller's words are off; the message says how
  kNotFound,
  kConflict,      // exists already, or is being changed
  kPrecondition,  // a revision the caller named is not the current one
  kTooLarge,
  kUnavailable,  // a peer, process or service is gone; trying again may help
  kTimedOut,
  kLimit,  // a quota or bound is reached
  kIo,     // the kernel said no
  kInternal,
};

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  // kIo with the kernel's words. `doing` says what was attempted: "open cgroup.procs".
  static Error from_errno(std::string_view doing, int err = errno) {
    Error error(ErrorCode::kIo, std::string(doing) + ": " + std::strerror(err));
    error.errno_ = err;
    return error;
  }

  // The same error seen from one level up: "start sandbox: open cgroup.procs: Permission denied".
  Error within(std::string_view doing) && {
    message_ = std::string(doing) + ": " + std::move(message_);
    return std::move(*this);
  }

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // The errno behind a kIo error, 0 where there is none.
  int system_error() const { return errno_; }

 private:
  ErrorCode code_;
  int errno_ = 0;
  std::string message_;
};

template <typename T>
using Result = std::expected<T, Error>;

inline auto failure(Error error) { return std::unexpected<Error>(std::move(error)); }
inline auto failure(ErrorCode code, std::string message) {
  return std::unexpected<Error>(Error(code, std::move(message)));
}

}  // namespace ogni
