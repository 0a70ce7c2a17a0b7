// Tags of functions: TagResource, UntagResource, ListTags.
#include <boost/json/serialize.hpp>

#include "protocol/limits.h"
#include "service/api/api.h"
#include "service/api/function_settings.h"
#include "service/api/shapes.h"
#include "service/http/url.h"
#include "service/roots.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

// AWS lets resources of other kinds carry tags. None of them exists here.
std::optional<ApiError> other_resource(std::string_view arn) {
  const std::string text(arn);
  const auto is = [arn](std::string_view kind) { return arn.find(kind) != std::string_view::npos; };
  const auto missing = [](std::string message) {
    return ApiError{.type = ErrorType::kResourceNotFound, .message = std::move(message)};
  };
  if (is(":event-source-mapping:")) return missing("Event source mapping not found: " + text);
  if (is(":capacity-provider:")) return missing("Capacity provider not found: " + text);
  if (is(":layer:")) return missing("The resource you requested does not exist.");
  if (!is(":code-signing-config:")) return {};
  return ApiError{
      .type = ErrorType::kCodeSigningConfigNotFound,
      .message =
          "The code signing configuration cannot be found. Check that the provided configuration is not deleted: " +
          text + "."};
}

// A function's ARN without qualifier.
ApiResult<FunctionTarget> tagged_function(const protocol::Home& home, const http::Request& request) {
  const std::string_view resource = request.label("Resource");
  if (auto checked = validate_text(resource, shapes::kTaggableResource, "resource"); !checked) {
    return refuse(std::move(checked.error()));
  }
  if (auto other = other_resource(resource)) return refuse(std::move(*other));
  ApiResult<FunctionTarget> target = resolve_function(home, resource, {});
  if (target && !target->qualifier.empty()) {
    return refuse(ErrorType::kInvalidParameterValue,
                  "Tags on function aliases and versions are not supported. Please specify a function ARN.");
  }
  return target;
}

// Each value of a query parameter that may be repeated.
std::vector<std::string> query_values(std::string_view query, std::string_view key) {
  std::vector<std::string> values;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    if (auto value = http::query_value(query.substr(0, end), key)) values.push_back(std::move(*value));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return values;
}

}  // namespace

asio::awaitable<Api::Answer> Api::list_tags(http::Request& request) {
  const auto target = tagged_function(settings_.home, request);
  if (!target) co_return refuse(target.error());
  const auto known = co_await find_function(*target);
  if (!known) co_return refuse(known.error());
  json::object tags;
  for (const auto& [key, value] : known->latest->tags) tags[key] = value;
  const json::object out{{"Tags", std::move(tags)}};
  co_return http::Response(200, "application/json", json::serialize(out));
}

asio::awaitable<Api::Answer> Api::tag_resource(http::Request& request) {
  const auto target = tagged_function(settings_.home, request);
  if (!target) co_return refuse(target.error());
  auto body = co_await read_body(request, shapes::kTagResource);
  if (!body) co_return refuse(std::move(body.error()));
  if (const json::object* tags = object_member(*body, "Tags"); tags == nullptr || tags->empty()) {
    co_return refuse(ErrorType::kInvalidParameterValue, "An error occurred and the request cannot be processed.");
  }
  Tags given;
  merge_tags(*body, given);
  if (settings_.roots != nullptr && given.contains(std::string(kRootTag))) {
    if (auto root = settings_.roots->find(given); !root) {
      co_return refuse(ErrorType::kInvalidParameterValue, root.error().message());
    }
  }
  co_return co_await change_tags(*target, [given = std::move(given)](Tags& tags) {
    for (const auto& [key, value] : given) tags[key] = value;
  });
}

asio::awaitable<Api::Answer> Api::untag_resource(http::Request& request) {
  const auto target = tagged_function(settings_.home, request);
  if (!target) co_return refuse(target.error());
  std::vector<std::string> keys = query_values(request.query(), "tagKeys");
  if (keys.empty()) co_return refuse(ApiError::missing("tagKeys"));
  co_return co_await change_tags(*target, [keys = std::move(keys)](Tags& tags) {
    for (const std::string& key : keys) tags.erase(key);
  });
}

// Environments are told what they reach when they are made: those that were told otherwise are retired.
asio::awaitable<Api::Answer> Api::change_tags(FunctionTarget target, std::function<void(Tags&)> change) {
  auto too_many = std::make_shared<bool>(false);
  auto commit = [name = target.name, change = std::move(change),
                 too_many](catalogue::Catalogue& catalogue) -> Result<catalogue::Function> {
    Result<catalogue::Function> current = catalogue.function(name);
    if (!current) return current;
    Tags tags = current->tags;
    change(tags);
    *too_many = tags.size() > protocol::limits::kTagsMax;
    if (*too_many) return failure(ErrorCode::kInvalidArgument, "refused");
    return catalogue.replace_tags(name, tags);
  };
  Result<FunctionPointer> changed = co_await parts_.functions.commit(std::move(commit));
  if (!changed) {
    if (*too_many) co_return refuse(ErrorType::kInvalidParameterValue, "Number of tags exceeds resource tag limit.");
    co_return refuse(commit_error(changed.error(), target, "change tags"));
  }
  parts_.invoker.retire_older((*changed)->instance, (*changed)->generation);
  co_return http::Response(204);
}

}  // namespace ogni::service
