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
                                           const std::optional<std::string>& qualifier, protocol::NameForm form) {
  const Shape& shape = form == protocol::NameForm::kPlain ? shapes::kFunctionName : shapes::kNamespacedFunctionName;
  const auto parsed = protocol::split_function_name(written, form);
  const bool is_good = parsed && written.size() <= static_cast<std::size_t>(shape.max);
  if (!is_good || (qualifier && !protocol::is_qualifier_parameter(*qualifier))) {
    // The hand-written parser is what decides; the shapes find AWS's words.
    std::vector<TextCheck> checks;
    if (qualifier) checks.push_back({*qualifier, shapes::kQualifier, "qualifier"});
    checks.push_back({written, shape, "functionName"});
    if (auto checked = validate_texts(checks); !checked) return refuse(std::move(checked.error()));
    return refuse(ApiError::constraint(written, "functionName",
                                       std::string("satisfy regular expression pattern: ") + shape.pattern));
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
