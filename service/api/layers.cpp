#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "protocol/limits.h"
#include "service/api/api.h"
#include "service/api/function_json.h"
#include "service/api/shapes.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
namespace limits = protocol::limits;

ApiError layer_not_found() {
  return {.type = ErrorType::kResourceNotFound, .message = "The resource you requested does not exist."};
}

ApiResult<long long> version_number(const std::string& text) {
  long long version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size()) {
    return refuse(ErrorType::kSerialization, "STRING_VALUE can not be converted to a Long");
  }
  if (version < 1) return refuse(ErrorType::kInvalidParameterValue, "Layer Version Cannot be less than 1");
  return version;
}

std::vector<std::string> texts(const json::object& object, std::string_view name) {
  std::vector<std::string> list;
  if (const json::array* found = list_member(object, name)) {
    for (const json::value& entry : *found) list.emplace_back(text_of(entry));
  }
  return list;
}

struct ListRequest {
  catalogue::Catalogue::LayerFilter filter;
  std::string marker;
  std::size_t items = limits::kListPageMax;
};

ApiResult<ListRequest> list_request(const http::Request& request) {
  ListRequest list;
  if (auto runtime = request.query_value("CompatibleRuntime")) {
    if (auto checked = validate_text(*runtime, shapes::kLayerRuntime, "compatibleRuntime"); !checked) {
      return refuse(std::move(checked.error()));
    }
    list.filter.runtime = std::move(*runtime);
  }
  if (auto architecture = request.query_value("CompatibleArchitecture")) {
    if (auto checked = validate_text(*architecture, shapes::kArchitecture, "compatibleArchitecture"); !checked) {
      return refuse(std::move(checked.error()));
    }
    list.filter.architecture = std::move(*architecture);
  }
  if (const auto given = request.query_value("MaxItems")) {
    const auto number = validate_number(*given, shapes::kPageSize, "maxItems");
    if (!number) return refuse(number.error());
    list.items = static_cast<std::size_t>(*number);
  }
  list.marker = request.query_value("Marker").value_or("");
  return list;
}

ApiError list_error(const Error& error) {
  if (error.code() == ErrorCode::kInvalidArgument) {
    return {.type = ErrorType::kInvalidParameterValue, .message = "The marker is not valid."};
  }
  return internal_error(error, "list layers");
}

http::Response list_response(std::string_view name, json::array entries, const std::string& next_marker) {
  json::object out;
  out[json::string_view(name.data(), name.size())] = std::move(entries);
  out["NextMarker"] = nullptr;
  if (!next_marker.empty()) out["NextMarker"] = next_marker;
  return {200, "application/json", json::serialize(out)};
}

}  // namespace

asio::awaitable<Api::Answer> Api::publish_layer_version(http::Request& request) {
  auto layer = resolve_layer(settings_.home, request.label("LayerName"));
  if (!layer) co_return refuse(std::move(layer.error()));
  auto body = co_await read_body(request, shapes::kPublishLayerVersion);
  if (!body) co_return refuse(std::move(body.error()));
  auto stored = co_await store_code(take_object(*body, "Content"));
  if (!stored) co_return refuse(std::move(stored.error()));

  catalogue::LayerVersion draft{.layer_name = std::move(*layer),
                                .version = 0,
                                .description = std::string(string_member(*body, "Description")),
                                .license_info = std::string(string_member(*body, "LicenseInfo")),
                                .compatible_runtimes = texts(*body, "CompatibleRuntimes"),
                                .compatible_architectures = texts(*body, "CompatibleArchitectures"),
                                .created = {},
                                .code = std::move(*stored)};
  const auto published =
      co_await parts_.workers.on_catalogue([&catalogue = parts_.catalogue, draft = std::move(draft)]() mutable {
        return catalogue.publish_layer_version(std::move(draft));
      });
  if (!published) co_return refuse(internal_error(published.error(), "publish a layer version"));
  json::object out = layer_version_json(settings_.home, *published, code_link(request, published->code));
  for (const std::string_view name :
       {"CompatibleRuntimes", "CompatibleArchitectures"}) {  // also those without an entry
    if (const json::array* given = list_member(*body, name)) out[to_json_view(name)] = *given;
  }
  co_return http::Response(201, "application/json", json::serialize(out));
}

asio::awaitable<Api::Answer> Api::answer_layer_version(http::Request& request, std::string layer, long long version) {
  const auto found = co_await parts_.workers.on_catalogue(
      [&catalogue = parts_.catalogue, layer, version] { return catalogue.layer_version(layer, version); });
  if (!found && found.error().code() == ErrorCode::kNotFound) co_return refuse(layer_not_found());
  if (!found) co_return refuse(internal_error(found.error(), "look up a layer"));
  const json::object out = layer_version_json(settings_.home, *found, code_link(request, found->code));
  co_return http::Response(200, "application/json", json::serialize(out));
}

asio::awaitable<Api::Answer> Api::get_layer_version(http::Request& request) {
  auto layer = resolve_layer(settings_.home, request.label("LayerName"));
  if (!layer) co_return refuse(std::move(layer.error()));
  const auto version = version_number(request.label("VersionNumber"));
  if (!version) co_return refuse(version.error());
  co_return co_await answer_layer_version(request, std::move(*layer), *version);
}

asio::awaitable<Api::Answer> Api::get_layer_version_by_arn(http::Request& request) {
  const std::string arn = request.query_value("Arn").value_or("");
  if (auto checked = validate_text(arn, shapes::kLayerVersionArn, "arn"); !checked) {
    co_return refuse(std::move(checked.error()));
  }
  const auto parsed = protocol::parse_layer_name(arn);
  if (!parsed || !parsed->version) co_return refuse(layer_not_found());
  if (*parsed->region != settings_.home.region) co_return refuse(layer_not_found());
  if (*parsed->account != settings_.home.account) co_return refuse(ErrorType::kAccessDenied, "");
  co_return co_await answer_layer_version(request, std::string(parsed->name), *parsed->version);
}

asio::awaitable<Api::Answer> Api::list_layers(http::Request& request) {
  auto list = list_request(request);
  if (!list) co_return refuse(std::move(list.error()));
  const auto page = co_await parts_.workers.on_catalogue([&catalogue = parts_.catalogue, wanted = std::move(*list)] {
    return catalogue.layers(wanted.filter, wanted.marker, wanted.items);
  });
  if (!page) co_return refuse(list_error(page.error()));
  json::array entries;
  for (const catalogue::LayerVersion& layer : page->items) {
    entries.push_back({{"LayerName", layer.layer_name},
                       {"LayerArn", protocol::layer_arn(settings_.home, layer.layer_name)},
                       {"LatestMatchingVersion", layer_version_entry(settings_.home, layer)}});
  }
  co_return list_response("Layers", std::move(entries), page->next_marker);
}

asio::awaitable<Api::Answer> Api::list_layer_versions(http::Request& request) {
  auto layer = resolve_layer(settings_.home, request.label("LayerName"));
  if (!layer) co_return refuse(std::move(layer.error()));
  auto list = list_request(request);
  if (!list) co_return refuse(std::move(list.error()));
  const auto page = co_await parts_.workers.on_catalogue(
      [&catalogue = parts_.catalogue, name = std::move(*layer), wanted = std::move(*list)] {
        return catalogue.layer_versions(name, wanted.filter, wanted.marker, wanted.items);
      });
  if (!page) co_return refuse(list_error(page.error()));
  json::array entries;
  for (const catalogue::LayerVersion& version : page->items) {
    entries.push_back(layer_version_entry(settings_.home, version));
  }
  co_return list_response("LayerVersions", std::move(entries), page->next_marker);
}

asio::awaitable<Api::Answer> Api::delete_layer_version(http::Request& request) {
  auto layer = resolve_layer(settings_.home, request.label("LayerName"));
  if (!layer) co_return refuse(std::move(layer.error()));
  const auto version = version_number(request.label("VersionNumber"));
  if (!version) co_return refuse(version.error());
  const auto deleted =
      co_await parts_.functions.run([name = std::move(*layer), number = *version](catalogue::Catalogue& catalogue) {
        return catalogue.delete_layer_version(name, number);
      });
  if (!deleted) co_return refuse(internal_error(deleted.error(), "delete a layer version"));
  co_return http::Response(204);
}

}  // namespace ogni::service
