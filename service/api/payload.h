// Whether the payload of an invocation is JSON: one value, in valid UTF-8, nested no deeper than 1,000 levels. No tree is
// built.
#pragma once

#include <string_view>

#include "service/api/errors.h"

namespace ogni::service {

// Errors: kInvalidRequestContent in AWS's words.
[[nodiscard]] ApiResult<void> check_payload(std::string_view payload);

}  // namespace ogni::service
