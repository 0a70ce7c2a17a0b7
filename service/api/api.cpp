#include "service/api/api.h"

#include "base/log.h"
#include "base/text.h"
#include "protocol/limits.h"
#include "service/api/operations.h"
#include "service/api/signature.h"

namespace ogni::service {

namespace asio = boost::asio;
namespace limits = protocol::limits;
using http::Method;

Api::Api(Parts parts, ApiSettings settings) : parts_(std::move(parts)), settings_(std::move(settings)) {}

http::FailureRenderer Api::failure_renderer() {
  return [](const http::Failure& failure) { return to_response(failure); };
}

http::RequestFilter Api::request_filter() const {
  return [home = settings_.home](const http::Request& request) { return refuse_other_service(request, home); };
}

void Api::add(http::Router& router, Method method, std::string_view path, std::string_view query, std::string_view name,
              std::size_t body_max, Operation operation) {
  router.add({.method = method,
              .path = std::string(path),
              .query = std::string(query),
              .operation = std::string(name),
              .body_max = body_max,
              .handler = [this, name, operation](http::Request& request) { return answer(request, name, operation); }});
}

// `name` and `operation` outlive the route.
asio::awaitable<http::Response> Api::answer(http::Request& request, std::string_view name, Operation operation) {
  const std::string request_id = make_uuid();
  Answer answered = co_await (this->*operation)(request);
  if (!answered) {
    spdlog::info("{}: {} {}", name, status_of(answered.error().type), name_of(answered.error().type));
    co_return to_response(answered.error(), request_id);
  }
  answered->add_header("x-amzn-RequestId", request_id);
  co_return std::move(*answered);
}

void Api::add_routes(http::Router& router) {
  constexpr std::size_t kSmall = limits::kControlRequestBytesMax;
  constexpr std::size_t kWithZip = limits::kCreateRequestBytesMax;
  // Invoke first: the others share its first segment, and it is the hot one.
  router.add({.method = Method::kPost,
              .path = "/2015-03-31/functions/{FunctionName}/invocations",
              .query = "",
              .operation = "Invoke",
              .body_max = limits::kPayloadBytesMax,
              .handler = [this](http::Request& request) { return invoke(request); }});

  add(router, Method::kPost, "/2015-03-31/functions", "", "CreateFunction", kWithZip, &Api::create_function);
  add(router, Method::kGet, "/2015-03-31/functions", "", "ListFunctions", 0, &Api::list_functions);
  add(router, Method::kGet, "/2015-03-31/functions/{FunctionName}", "", "GetFunction", 0, &Api::get_function);
  add(router, Method::kDelete, "/2015-03-31/functions/{FunctionName}", "", "DeleteFunction", kSmall,
      &Api::delete_function);
  add(router, Method::kGet, "/2015-03-31/functions/{FunctionName}/configuration", "", "GetFunctionConfiguration", 0,
      &Api::get_function_configuration);
  add(router, Method::kPut, "/2015-03-31/functions/{FunctionName}/configuration", "", "UpdateFunctionConfiguration",
      kSmall, &Api::update_function_configuration);
  add(router, Method::kPut, "/2015-03-31/functions/{FunctionName}/code", "", "UpdateFunctionCode", kWithZip,
      &Api::update_function_code);

  // The paths that the first clients of this API have (boto 2).
  add(router, Method::kGet, "/2015-03-31/functions/{FunctionName}/versions/HEAD", "", "GetFunction", 0,
      &Api::get_function);
  add(router, Method::kGet, "/2015-03-31/functions/{FunctionName}/versions/HEAD/configuration", "",
      "GetFunctionConfiguration", 0, &Api::get_function_configuration);
  add(router, Method::kPut, "/2015-03-31/functions/{FunctionName}/versions/HEAD/configuration", "",
      "UpdateFunctionConfiguration", kSmall, &Api::update_function_configuration);
  add(router, Method::kPut, "/2015-03-31/functions/{FunctionName}/versions/HEAD/code", "", "UpdateFunctionCode",
      kWithZip, &Api::update_function_code);

  add(router, Method::kPost, "/2018-10-31/layers/{LayerName}/versions", "", "PublishLayerVersion", kWithZip,
      &Api::publish_layer_version);
  add(router, Method::kGet, "/2018-10-31/layers", "find=LayerVersion", "GetLayerVersionByArn", 0,
      &Api::get_layer_version_by_arn);
  add(router, Method::kGet, "/2018-10-31/layers", "", "ListLayers", 0, &Api::list_layers);
  add(router, Method::kGet, "/2018-10-31/layers/{LayerName}/versions", "", "ListLayerVersions", 0,
      &Api::list_layer_versions);
  add(router, Method::kGet, "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", "", "GetLayerVersion", 0,
      &Api::get_layer_version);
  add(router, Method::kDelete, "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", "", "DeleteLayerVersion",
      kSmall, &Api::delete_layer_version);
  add(router, Method::kGet, "/2017-03-31/tags/{Resource}", "", "ListTags", 0, &Api::list_tags);
  add(router, Method::kPost, "/2017-03-31/tags/{Resource}", "", "TagResource", kSmall, &Api::tag_resource);
  add(router, Method::kDelete, "/2017-03-31/tags/{Resource}", "", "UntagResource", kSmall, &Api::untag_resource);
  add(router, Method::kGet, "/2016-08-19/account-settings", "", "GetAccountSettings", 0, &Api::get_account_settings);
  add(router, Method::kGet, CodeLinks::kPath, "", "code download", 0, &Api::download_code);

  for (const OperationNotBuilt& operation : operations_not_built()) {
    router.add({.method = operation.method,
                .path = std::string(operation.path),
                .query = std::string(operation.query),
                .operation = std::string(operation.name),
                .body_max = kSmall,
                .handler = [name = operation.name](http::Request&) -> asio::awaitable<http::Response> {
                  const ApiError error{.type = ErrorType::kNotImplemented,
                                       .message = std::string(name) + " is not implemented by Ogni yet."};
                  return [](ApiError refused) -> asio::awaitable<http::Response> {
                    co_return to_response(refused, make_uuid());
                  }(error);
                }});
  }
}

}  // namespace ogni::service
