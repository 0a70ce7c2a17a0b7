// What operations share.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/digest.h"
#include "base/log.h"
#include "protocol/limits.h"
#include "service/api/api.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
namespace limits = protocol::limits;

// A body that the reactor parses by itself: a few hundred microseconds at most.
constexpr std::size_t kSmallBodyBytes = 64 * 1024;

ApiError no_source(const json::object& code) {
  if (find_member(code, "S3Bucket") != nullptr || find_member(code, "S3Key") != nullptr) {
    return {.type = ErrorType::kInvalidParameterValue,
            .message = "Ogni has no S3 to read code from. Please give the zip itself, as ZipFile."};
  }
  if (find_member(code, "ImageUri") != nullptr) {
    return {.type = ErrorType::kInvalidParameterValue,
            .message = "Please don't provide ImageUri when updating a function with packageType Zip."};
  }
  return {.type = ErrorType::kInvalidParameterValue, .message = "Please provide a source for function code."};
}

ApiResult<catalogue::CodeReference> unpack(catalogue::CodeStore& store, std::string_view base64) {
  ApiError too_large{
      .type = ErrorType::kRequestEntityTooLarge,
      .message = "Zipped size must be smaller than " + std::to_string(limits::kZippedBytesMax) + " bytes"};
  ApiError bad_zip{.type = ErrorType::kInvalidParameterValue,
                   .message = "Could not unzip uploaded file. Please check your file, then try to upload again."};
  if (base64.size() / 4 * 3 > limits::kZippedBytesMax + 3) return refuse(std::move(too_large));
  const Result<std::string> zip = from_base64(base64);
  if (!zip || zip->empty()) return refuse(std::move(bad_zip));
  if (zip->size() > limits::kZippedBytesMax) return refuse(std::move(too_large));
  ApiError too_large_unzipped{
      .type = ErrorType::kInvalidParameterValue,
      .message = "Unzipped size must be smaller than " + std::to_string(limits::kUnzippedBytesMax) + " bytes"};
  Result<catalogue::CodeReference> stored = store.add(*zip);
  if (stored && stored->unzipped_bytes >= limits::kUnzippedBytesMax) return refuse(std::move(too_large_unzipped));
  if (stored) return std::move(*stored);
  switch (stored.error().code()) {
    case ErrorCode::kInvalidArgument:
      spdlog::info("a zip was refused: {}", stored.error().message());
      return refuse(std::move(bad_zip));
    case ErrorCode::kNotFound:
      return refuse(ErrorType::kInvalidParameterValue, "Uploaded file must be a non-empty zip");
    case ErrorCode::kTooLarge:
      return refuse(std::move(too_large_unzipped));
    case ErrorCode::kLimit:
      spdlog::error("store code: {}", stored.error().message());
      return refuse(ErrorType::kService, "The disk of this service is full.");
    default:
      return refuse(internal_error(stored.error(), "store code"));
  }
}

}  // namespace

asio::awaitable<ApiResult<json::object>> Api::read_body(http::Request& request, const Shape& shape) {
  if (request.body.size() <= kSmallBodyBytes) co_return parse_request(request.body, shape);
  // The outer Result is the queue's, the inner one the request's.
  auto parsed =
      co_await parts_.workers.on_pool([body = std::move(request.body), &shape]() -> Result<ApiResult<json::object>> {
        return parse_request(body, shape);
      });
  if (!parsed) co_return refuse(internal_error(parsed.error(), "parse a request"));
  co_return std::move(*parsed);
}

ApiResult<FunctionTarget> Api::target_of(const http::Request& request, protocol::NameForm form) const {
  return resolve_function(settings_.home, request.label("FunctionName"), request.query_value("Qualifier"), form);
}

asio::awaitable<ApiResult<Functions::Known>> Api::find_function(FunctionTarget target) {
  if (!target.qualifier.empty() && target.qualifier != "$LATEST") {
    co_return refuse(function_not_found(settings_.home, target));
  }
  Result<Functions::Known> found = co_await parts_.functions.find(target.name);
  if (found) co_return std::move(*found);
  co_return refuse(commit_error(found.error(), target, "look up a function"));
}

ApiError Api::commit_error(const Error& error, const FunctionTarget& target, std::string_view doing) const {
  switch (error.code()) {
    case ErrorCode::kNotFound:
      return function_not_found(settings_.home, target);
    case ErrorCode::kConflict:
      return {.type = ErrorType::kResourceConflict,
              .message = "The operation cannot be performed at this time. An update is in progress for resource: " +
                         protocol::function_arn(settings_.home, target.name)};
    case ErrorCode::kPrecondition:
      return {.type = ErrorType::kPreconditionFailed,
              .message =
                  "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias "
                  "API to retrieve the latest Revision Id"};
    default:
      return internal_error(error, doing);
  }
}

asio::awaitable<ApiResult<catalogue::CodeReference>> Api::store_code(json::object code) {
  if (find_member(code, "ZipFile") == nullptr) co_return refuse(no_source(code));
  auto stored = co_await parts_.workers.on_pool(
      [code = std::move(code), &store = parts_.code_store]() -> Result<ApiResult<catalogue::CodeReference>> {
        return unpack(store, string_member(code, "ZipFile"));
      });
  if (!stored) co_return refuse(internal_error(stored.error(), "store code"));
  co_return std::move(*stored);
}

void Api::activate(FunctionPointer function) {
  asio::co_spawn(parts_.executor, complete(std::move(function)), asio::detached);
}

asio::awaitable<void> Api::complete(FunctionPointer function) {
  if (settings_.activation_delay.count() > 0) {
    asio::steady_timer timer(parts_.executor, settings_.activation_delay);
    co_await timer.async_wait(asio::use_awaitable);
  }
  for (std::chrono::seconds pause{1};; pause = std::min(2 * pause, std::chrono::seconds(60))) {
    Result<FunctionPointer> completed =
        co_await parts_.functions.commit([instance = function->instance](catalogue::Catalogue& catalogue) {
          return catalogue.complete_function(instance);
        });
    if (completed) {
      parts_.invoker.retire_older((*completed)->instance, (*completed)->generation);
      co_return;
    }
    if (completed.error().code() == ErrorCode::kNotFound) co_return;  // deleted meanwhile
    spdlog::error("activate function {}: {}; trying again", function->name, completed.error().message());
    asio::steady_timer timer(parts_.executor, pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

std::string Api::code_link(const http::Request& request, const catalogue::CodeReference& code) const {
  const std::string_view host = request.header("Host");
  return links_.make(host.empty() ? "127.0.0.1" : host, code.sha256_hex, std::chrono::system_clock::now());
}

}  // namespace ogni::service
