// Creating and updating a function through the API, in the order that the API asks for.
#pragma once

#include <optional>
#include <string>

#include "cli/service_client.h"

namespace ogni::cli {

struct Deployed {
  json::object configuration;
  bool is_new = false;
};

// Creates `name`, or updates its code and then those of `settings` that differ from `existing`; waits until it is
// Active and the update Successful. `settings` has the members of UpdateFunctionConfiguration.
[[nodiscard]] Outcome<Deployed> deploy_function(ServiceClient& service, const std::string& name,
                                                const std::optional<json::object>& existing, json::object settings,
                                                const std::string& zip);

}  // namespace ogni::cli
