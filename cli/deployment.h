// Creating and updating a function through the API, in the order that the API asks for.
#pragma once

#include <string>

#include "cli/service_client.h"

namespace ogni::cli {

// Both wait until the function is Active and its last update Successful, and return its configuration. `settings` has
// the members of UpdateFunctionConfiguration.
[[nodiscard]] Outcome<json::object> create_function(ServiceClient& service, const std::string& name,
                                                    json::object settings, const std::string& zip);
// Adds tags to a function that exists, if it has not all of them; `configuration` is its own.
[[nodiscard]] Outcome<void> tag_function(ServiceClient& service, const json::object& configuration,
                                         const json::object& tags);
// Updates those of `settings` that differ from what the function has, then its code: what is wrong with the settings is
// said before anything has changed.
[[nodiscard]] Outcome<json::object> update_function(ServiceClient& service, const std::string& name,
                                                    const json::object& settings, const std::string& zip);

}  // namespace ogni::cli
