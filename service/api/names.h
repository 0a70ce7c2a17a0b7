// Which function or layer a request means: the forms of a name, checked in AWS's order.
#pragma once

#include <optional>
#include <string>

#include "protocol/arn.h"
#include "protocol/function_name.h"
#include "service/api/errors.h"

namespace ogni::service {

struct FunctionTarget {
  std::string name;
  std::string qualifier;  // "" when none was given

  std::string arn(const protocol::Home& home) const { return protocol::function_arn(home, name, qualifier); }
};

// `written` is the decoded label or member, `qualifier` the query parameter. Errors, in this order: the patterns and
// lengths of both (kValidation), another region (kResourceNotFound), another account (kAccessDenied), qualifiers that
// differ (kInvalidParameterValue).
[[nodiscard]] ApiResult<FunctionTarget> resolve_function(const protocol::Home& home, std::string_view written,
                                                         const std::optional<std::string>& qualifier,
                                                         protocol::NameForm form = protocol::NameForm::kNamespaced);
ApiError function_not_found(const protocol::Home& home, const FunctionTarget& target);

// A layer's name, from its name or ARN. Errors: as above.
[[nodiscard]] ApiResult<std::string> resolve_layer(const protocol::Home& home, std::string_view written);

}  // namespace ogni::service
