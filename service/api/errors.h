// Errors as the Lambda API sends them: type, status, and the spelling of the key that holds the message.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/result.h"
#include "service/http/server.h"

namespace ogni::service {

enum class ErrorType {
  kAccessDenied,
  kCodeSigningConfigNotFound,
  kInvalidParameterValue,
  kInvalidRequestContent,
  kInvalidRuntime,
  kInvalidSignature,
  kNotImplemented,
  kPreconditionFailed,
  kRequestEntityTooLarge,
  kRequestTooLarge,
  kResourceConflict,
  kResourceNotFound,
  kSerialization,
  kService,
  kServiceUnavailable,
  kTooManyRequests,
  kUnknownOperation,
  kValidation,
  kMethodNotAllowed,
  kHeadersTooLarge,
};

struct ApiError {
  ErrorType type = ErrorType::kService;
  std::string message;
  std::string reason = {};  // of kTooManyRequests

  // A constraint of the API model, in AWS's words: "1 validation error detected: Value …".
  static ApiError constraint(std::string_view value, std::string_view member, std::string_view constraint);
  // A required member of a request that is not there, in the same words.
  static ApiError missing(std::string_view member);
};

template <typename T>
using ApiResult = std::expected<T, ApiError>;
inline auto refuse(ErrorType type, std::string message) {
  return std::unexpected<ApiError>(ApiError{.type = type, .message = std::move(message)});
}
inline auto refuse(ApiError error) { return std::unexpected<ApiError>(std::move(error)); }

// What of our own errors has no meaning special to an operation: kLimit is a full queue (429) or disk, the rest 500.
// The caller of the API sees no path and no errno; those go to the log, with `doing`.
ApiError internal_error(const Error& error, std::string_view doing);

int status_of(ErrorType type);
std::string_view name_of(ErrorType type);  // "ResourceNotFoundException"
http::Response to_response(const ApiError& error, std::string_view request_id);
// What the server refuses by itself, in the same shape.
http::Response to_response(const http::Failure& failure);

}  // namespace ogni::service
