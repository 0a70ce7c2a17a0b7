// The operations of the API model that are not built yet. Each answers 501 and names itself: never a success.
#pragma once

#include <span>
#include <string_view>

#include "service/http/message.h"

namespace ogni::service {

struct OperationNotBuilt {
  http::Method method;
  std::string_view path;
  std::string_view query;
  std::string_view name;
};

std::span<const OperationNotBuilt> operations_not_built();

}  // namespace ogni::service
