#include "service/api/errors.h"

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"
#include "protocol/limits.h"

namespace ogni::service {
namespace {

// How the body is made: AWS spells the key differently per exception, and some bodies have no "Type".
enum class Body { kTypeAndLower, kTypeAndUpper, kLowerOnly, kUpperOnly };

struct Row {
  ErrorType type;
  std::string_view name;
  int status;
  Body body;
};

constexpr std::array kRows{
    Row{ErrorType::kAccessDenied, "AccessDeniedException", 403, Body::kUpperOnly},
    Row{ErrorType::kCodeSigningConfigNotFound, "CodeSigningConfigNotFoundException", 404, Body::kTypeAndUpper},
    Row{ErrorType::kInvalidParameterValue, "InvalidParameterValueException", 400, Body::kTypeAndLower},
    Row{ErrorType::kInvalidRequestContent, "InvalidRequestContentException", 400, Body::kTypeAndLower},
    Row{ErrorType::kInvalidRuntime, "InvalidRuntimeException", 502, Body::kTypeAndUpper},
    Row{ErrorType::kInvalidSignature, "InvalidSignatureException", 403, Body::kLowerOnly},
    Row{ErrorType::kNotImplemented, "NotImplementedException", 501, Body::kTypeAndLower},
    Row{ErrorType::kPreconditionFailed, "PreconditionFailedException", 412, Body::kTypeAndLower},
    Row{ErrorType::kRequestEntityTooLarge, "RequestEntityTooLargeException", 413, Body::kLowerOnly},
    Row{ErrorType::kRequestTooLarge, "RequestTooLargeException", 413, Body::kTypeAndLower},
    Row{ErrorType::kResourceConflict, "ResourceConflictException", 409, Body::kTypeAndLower},
    Row{ErrorType::kResourceNotFound, "ResourceNotFoundException", 404, Body::kTypeAndUpper},
    Row{ErrorType::kSerialization, "SerializationException", 400, Body::kLowerOnly},
    Row{ErrorType::kService, "ServiceException", 500, Body::kTypeAndUpper},
    Row{ErrorType::kServiceUnavailable, "ServiceException", 503, Body::kTypeAndUpper},
    Row{ErrorType::kTooManyRequests, "TooManyRequestsException", 429, Body::kTypeAndLower},
    Row{ErrorType::kUnknownOperation, "UnknownOperationException", 404, Body::kLowerOnly},
    Row{ErrorType::kValidation, "ValidationException", 400, Body::kLowerOnly},
    Row{ErrorType::kMethodNotAllowed, "UnknownOperationException", 405, Body::kLowerOnly},
    Row{ErrorType::kHeadersTooLarge, "RequestEntityTooLargeException", 431, Body::kLowerOnly},
};

const Row& row_of(ErrorType type) {
  for (const Row& row : kRows) {
    if (row.type == type) return row;
  }
  return kRows[static_cast<std::size_t>(ErrorType::kService)];
}

constexpr std::string_view kInternalMessage = "The service encountered an internal error. Please try again later.";

}  // namespace

ApiError ApiError::constraint(std::string_view value, std::string_view member, std::string_view constraint) {
  std::string message = "1 validation error detected: Value '";
  message.append(value).append("' at '").append(member).append("' failed to satisfy constraint: Member must ");
  message.append(constraint);
  return {.type = ErrorType::kValidation, .message = std::move(message)};
}

ApiError ApiError::missing(std::string_view member) {
  return {.type = ErrorType::kValidation,
          .message = "1 validation error detected: Value null at '" + std::string(member) +
                     "' failed to satisfy constraint: Member must not be null"};
}

ApiError internal_error(const Error& error, std::string_view doing) {
  if (error.code() == ErrorCode::kUnavailable) {  // too much waits for the disk
    spdlog::warn("{}: {}", doing, error.message());
    return {.type = ErrorType::kTooManyRequests, .message = "Rate Exceeded.", .reason = "CallerRateLimitExceeded"};
  }
  spdlog::error("{}: {}", doing, error.message());
  if (error.code() == ErrorCode::kLimit) {
    return {.type = ErrorType::kService, .message = "The disk of this service is full."};
  }
  return {.type = ErrorType::kService, .message = std::string(kInternalMessage)};
}

int status_of(ErrorType type) { return row_of(type).status; }
std::string_view name_of(ErrorType type) { return row_of(type).name; }

http::Response to_response(const ApiError& error, std::string_view request_id) {
  const Row& row = row_of(error.type);
  boost::json::object body;
  if (!error.reason.empty()) body["Reason"] = error.reason;
  if (row.body == Body::kTypeAndLower || row.body == Body::kTypeAndUpper) {
    body["Type"] = row.status < 500 ? "User" : "Server";
  }
  body[row.body == Body::kTypeAndUpper || row.body == Body::kUpperOnly ? "Message" : "message"] =
      to_utf8(error.message);
  http::Response response(row.status, "application/json", boost::json::serialize(body));
  response.add_header("x-amzn-RequestId", request_id);
  response.add_header("x-amzn-ErrorType", row.name);
  return response;
}

http::Response to_response(const http::Failure& failure) {
  using Kind = http::Failure::Kind;
  ApiError error;
  switch (failure.kind) {
    case Kind::kMalformed:
      error = {ErrorType::kInvalidRequestContent, "The request is not valid HTTP."};
      break;
    case Kind::kForbidden:
      error = {ErrorType::kAccessDenied, std::string(failure.reason)};
      break;
    case Kind::kUnknownPath:
      error = {ErrorType::kUnknownOperation, "No operation of the Lambda API has this path."};
      break;
    case Kind::kWrongMethod:
      error = {ErrorType::kMethodNotAllowed, "No operation of the Lambda API has this method and path."};
      break;
    case Kind::kBodyTooLarge:
      if (failure.route->operation == "Invoke") {
        const std::string size =
            failure.body_bytes > 0 ? std::to_string(failure.body_bytes) + " byte payload" : "Payload";
        error = {ErrorType::kRequestTooLarge, size + " is too large for the RequestResponse invocation type (limit " +
                                                  std::to_string(protocol::limits::kPayloadBytesMax) + " bytes)"};
      } else {
        error = {ErrorType::kRequestEntityTooLarge, "Request must be smaller than " +
                                                        std::to_string(failure.route->body_max) + " bytes for the " +
                                                        failure.route->operation + " operation"};
      }
      break;
    case Kind::kHeadTooLarge:
      error = {ErrorType::kHeadersTooLarge, "The head of the request is too large."};
      break;
    case Kind::kInternal:
      error = {ErrorType::kService, std::string(kInternalMessage)};
      break;
    case Kind::kBusy:
      error = {ErrorType::kServiceUnavailable, std::string(failure.reason)};
      break;
  }
  return to_response(error, make_uuid());
}

}  // namespace ogni::service
