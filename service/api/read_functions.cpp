#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "protocol/limits.h"
#include "service/api/api.h"
#include "service/api/function_json.h"
#include "service/api/shapes.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
namespace limits = protocol::limits;

constexpr std::uint64_t kTotalCodeBytes = 80'530'636'800;  // 75 GB, as AWS reports it

}  // namespace

asio::awaitable<Api::Answer> Api::get_function(http::Request& request) {
  const auto target = target_of(request);
  if (!target) co_return refuse(target.error());
  const auto known = co_await find_function(*target);
  if (!known) co_return refuse(known.error());
  const catalogue::Function& function = *known->latest;
  json::object out;
  out["Configuration"] = function_configuration(settings_.home, function, target->qualifier, Listing::kWhole);
  out["Code"] = {{"RepositoryType", "S3"}, {"Location", code_link(request, function.code)}};
  if (!function.tags.empty()) {
    json::object tags;
    for (const auto& [key, value] : function.tags) tags[key] = value;
    out["Tags"] = std::move(tags);
  }
  co_return http::Response(200, "application/json", json::serialize(out));
}

asio::awaitable<Api::Answer> Api::get_function_configuration(http::Request& request) {
  const auto target = target_of(request);
  if (!target) co_return refuse(target.error());
  const auto known = co_await find_function(*target);
  if (!known) co_return refuse(known.error());
  co_return http::Response(
      200, "application/json",
      json::serialize(function_configuration(settings_.home, *known->latest, target->qualifier, Listing::kWhole)));
}

asio::awaitable<Api::Answer> Api::list_functions(http::Request& request) {
  std::size_t items = limits::kListPageMax;
  std::string_view qualifier;
  if (const auto given = request.query_value("MaxItems")) {
    const auto number = validate_number(*given, shapes::kFunctionsPageSize, "maxItems");
    if (!number) co_return refuse(number.error());
    items = std::min(items, static_cast<std::size_t>(*number));
  }
  if (const auto given = request.query_value("FunctionVersion")) {
    if (auto checked = validate_text(*given, shapes::kFunctionVersion, "functionVersion"); !checked) {
      co_return refuse(std::move(checked.error()));
    }
    qualifier = "$LATEST";
  }
  if (const auto given = request.query_value("MasterRegion")) {
    if (auto checked = validate_text(*given, shapes::kMasterRegion, "masterRegion"); !checked) {
      co_return refuse(std::move(checked.error()));
    }
  }
  const std::string marker = request.query_value("Marker").value_or("");
  const auto page = co_await parts_.workers.on_catalogue(
      [&catalogue = parts_.catalogue, marker, items] { return catalogue.functions(marker, items); });
  if (!page && page.error().code() == ErrorCode::kInvalidArgument) {
    co_return refuse(ErrorType::kInvalidParameterValue, "The marker is not valid.");
  }
  if (!page) co_return refuse(internal_error(page.error(), "list functions"));
  json::array functions;
  for (const catalogue::Function& function : page->items) {
    functions.push_back(function_configuration(settings_.home, function, qualifier, Listing::kListEntry));
  }
  json::object out{{"Functions", std::move(functions)}, {"NextMarker", nullptr}};
  if (!page->next_marker.empty()) out["NextMarker"] = page->next_marker;
  co_return http::Response(200, "application/json", json::serialize(out));
}

asio::awaitable<Api::Answer> Api::get_account_settings(http::Request&) {
  const auto usage =
      co_await parts_.workers.on_catalogue([&catalogue = parts_.catalogue] { return catalogue.usage(); });
  if (!usage) co_return refuse(internal_error(usage.error(), "account settings"));
  const json::object out{{"AccountLimit",
                          {{"TotalCodeSize", kTotalCodeBytes},
                           {"CodeSizeUnzipped", limits::kUnzippedBytesMax},
                           {"CodeSizeZipped", limits::kZippedBytesMax},
                           {"ConcurrentExecutions", settings_.concurrency_max},
                           {"UnreservedConcurrentExecutions", settings_.concurrency_max}}},
                         {"AccountUsage", {{"TotalCodeSize", usage->code_bytes}, {"FunctionCount", usage->functions}}}};
  co_return http::Response(200, "application/json", json::serialize(out));
}

}  // namespace ogni::service
