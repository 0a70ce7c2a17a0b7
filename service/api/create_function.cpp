#include <boost/json/serialize.hpp>

#include "protocol/limits.h"
#include "service/api/api.h"
#include "service/api/function_json.h"
#include "service/api/function_settings.h"
#include "service/api/shapes.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
namespace limits = protocol::limits;

ApiResult<FunctionTarget> name_of_new(const protocol::Home& home, const json::object& request) {
  ApiResult<FunctionTarget> target =
      resolve_function(home, string_member(request, "FunctionName"), {}, protocol::NameForm::kPlain);
  if (!target) return target;
  if (target->name.size() > limits::kFunctionNameCharsMax) {
    // AWS words it as a constraint but types it otherwise.
    ApiError error =
        ApiError::constraint(target->name, "functionName",
                             "have length less than or equal to " + std::to_string(limits::kFunctionNameCharsMax));
    error.type = ErrorType::kInvalidParameterValue;
    return refuse(std::move(error));
  }
  if (!target->qualifier.empty() && target->qualifier != "$LATEST") {
    return refuse(ErrorType::kInvalidParameterValue, "A function cannot be created with a qualifier.");
  }
  target->qualifier.clear();
  return target;
}

struct Draft {
  std::string name;
  catalogue::FunctionSettings settings;
  catalogue::CodeReference code;
  std::map<std::string, std::string> tags;
  json::object request;
};

// On the catalogue's thread. What the API refuses comes back through `refused`.
Result<catalogue::Function> create(catalogue::Catalogue& catalogue, Draft draft, const protocol::Home& home,
                                   std::optional<ApiError>& refused) {
  auto layers = find_layers(draft.request, home, catalogue);
  if (!layers) {
    refused = std::move(layers.error());
    return failure(ErrorCode::kInvalidArgument, "refused");
  }
  if (auto fits = check_unzipped_size(draft.code, *layers); !fits) {
    refused = std::move(fits.error());
    return failure(ErrorCode::kInvalidArgument, "refused");
  }
  draft.settings.layers = std::move(*layers);
  return catalogue.create_function(draft.name, draft.settings, draft.code, draft.tags);
}

ApiError exists_already(const std::string& name) {
  return {.type = ErrorType::kResourceConflict, .message = "Function already exist: " + name};
}

}  // namespace

asio::awaitable<Api::Answer> Api::create_function(http::Request& request) {
  auto body = co_await read_body(request, shapes::kCreateFunction);
  if (!body) co_return refuse(std::move(body.error()));
  const auto target = name_of_new(settings_.home, *body);
  if (!target) co_return refuse(target.error());
  if (auto checked = check_request(*body, settings_); !checked) co_return refuse(std::move(checked.error()));
  if (auto checked = check_logging(*body, {}); !checked) co_return refuse(std::move(checked.error()));
  if (string_member(*body, "Runtime").empty() || string_member(*body, "Handler").empty()) {
    co_return refuse(ErrorType::kInvalidParameterValue,
                     "Runtime and Handler are mandatory parameters for functions created with deployment packages.");
  }
  // Told before the zip is unpacked; the catalogue decides once more.
  const auto existing = co_await parts_.functions.find(target->name);
  if (existing) co_return refuse(exists_already(target->name));

  auto stored = co_await store_code(take_object(*body, "Code"));
  if (!stored) co_return refuse(std::move(stored.error()));

  Draft draft{.name = target->name, .settings = {}, .code = std::move(*stored), .tags = {}, .request = {}};
  apply_settings(*body, draft.settings);
  merge_tags(*body, draft.tags);
  draft.request = std::move(*body);

  auto refused = std::make_shared<std::optional<ApiError>>();
  auto change = [draft = std::move(draft), home = settings_.home, refused](catalogue::Catalogue& catalogue) mutable {
    return create(catalogue, std::move(draft), home, *refused);
  };
  Result<FunctionPointer> created = co_await parts_.functions.commit(std::move(change));
  if (!created) {
    if (*refused) co_return refuse(std::move(**refused));
    if (created.error().code() == ErrorCode::kConflict) co_return refuse(exists_already(target->name));
    co_return refuse(commit_error(created.error(), *target, "create a function"));
  }
  http::Response response(201, "application/json",
                          json::serialize(function_configuration(settings_.home, **created, "", Listing::kWhole)));
  activate(std::move(*created));
  co_return response;
}

}  // namespace ogni::service
