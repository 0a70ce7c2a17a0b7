#include "service/api/names.h"

#include "protocol/limits.h"
#include "service/api/shapes.h"

namespace ogni::service {
namespace {

ApiError not_reachable(const protocol::Home& home, std::string_view region) {
  return {.type = ErrorType::kResourceNotFound,
          .message =
              "Functions from '" + std::string(region) + "' are not reachable in this region ('" + home.region + "')"};
}

}  // namespace

ApiResult<FunctionTarget> resolve_function(const protocol::Home& home, std::string_view written,
                                           const std::optional<std::string>& qualifier) {
  const auto parsed = protocol::parse_function_name(written);
  if (!parsed || written.size() > static_cast<std::size_t>(shapes::kFunctionName.max)) {
    // The hand-written parser is what decides; the shape finds AWS's words.
    if (auto checked = validate_text(written, shapes::kFunctionName, "functionName"); !checked) {
      return refuse(std::move(checked.error()));
    }
    return refuse(ApiError::constraint(
        written, "functionName", std::string("satisfy regular expression pattern: ") + shapes::kFunctionName.pattern));
  }
  if (qualifier && !protocol::is_qualifier(*qualifier)) {
    if (auto checked = validate_text(*qualifier, shapes::kQualifier, "qualifier"); !checked) {
      return refuse(std::move(checked.error()));
    }
  }
  if (parsed->region && *parsed->region != home.region) return refuse(not_reachable(home, *parsed->region));
  if (parsed->account && *parsed->account != home.account) return refuse(ErrorType::kAccessDenied, "");
  if (parsed->qualifier && qualifier && *parsed->qualifier != *qualifier) {
    return refuse(ErrorType::kInvalidParameterValue,
                  "The derived qualifier from the function name does not match the specified qualifier.");
  }
  FunctionTarget target{.name = std::string(parsed->name), .qualifier = {}};
  if (parsed->qualifier) target.qualifier = *parsed->qualifier;
  if (qualifier) target.qualifier = *qualifier;
  return target;
}

ApiError function_not_found(const protocol::Home& home, const FunctionTarget& target) {
  return {.type = ErrorType::kResourceNotFound, .message = "Function not found: " + target.arn(home)};
}

ApiResult<std::string> resolve_layer(const protocol::Home& home, std::string_view written) {
  if (auto checked = validate_text(written, shapes::kLayerName, "layerName"); !checked) {
    return refuse(std::move(checked.error()));
  }
  const auto parsed = protocol::parse_layer_name(written);
  if (!parsed || parsed->version) {
    return refuse(ApiError::constraint(
        written, "layerName", std::string("satisfy regular expression pattern: ") + shapes::kLayerName.pattern));
  }
  if (parsed->region && *parsed->region != home.region) {
    return refuse(ErrorType::kResourceNotFound, "Layers from '" + std::string(*parsed->region) +
                                                    "' are not reachable in this region ('" + home.region + "')");
  }
  if (parsed->account && *parsed->account != home.account) return refuse(ErrorType::kAccessDenied, "");
  return std::string(parsed->name);
}

}  // namespace ogni::service
