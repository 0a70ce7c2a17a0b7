// From the members of CreateFunction and UpdateFunctionConfiguration to FunctionSettings.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <string>

#include "catalogue/catalogue.h"
#include "catalogue/model.h"
#include "service/api/errors.h"
#include "service/api/settings.h"

namespace ogni::service {

// Whether this service can do what a validated request asks for, before anything is looked up: members that are not
// built yet (kNotImplemented), packages and code sources it does not have, runtimes, environment variables. `tags` are
// those that the function has, of which the request may bring others.
[[nodiscard]] ApiResult<void> check_request(const boost::json::object& request, const ApiSettings& settings,
                                            const std::map<std::string, std::string>& tags = {});

// Levels of logs go with JSON only; a request that names no format keeps that of the function as it is. Errors:
// kInvalidParameterValue.
[[nodiscard]] ApiResult<void> check_logging(const boost::json::object& request,
                                            const catalogue::FunctionSettings& current);

// Adds the tags that a validated request brings to `tags`.
void merge_tags(const boost::json::object& request, std::map<std::string, std::string>& tags);

// The architecture that a validated request asks for.
std::optional<std::string> architecture_of(const boost::json::object& request);

// Sets what a validated and checked request gives; the rest stays. Layers are not touched.
void apply_settings(const boost::json::object& request, catalogue::FunctionSettings& settings);

// The layers that `request` names, in its order. Blocks: on the catalogue's thread. Errors: kInvalidParameterValue for
// too many, for two versions of one layer, for what does not exist; kAccessDenied for another account's.
[[nodiscard]] ApiResult<std::vector<catalogue::LayerReference>> find_layers(const boost::json::object& request,
                                                                            const protocol::Home& home,
                                                                            catalogue::Catalogue& catalogue);
// Errors: kInvalidParameterValue when code and layers together unpack to 250 MB or more.
[[nodiscard]] ApiResult<void> check_unzipped_size(const catalogue::CodeReference& code,
                                                  const std::vector<catalogue::LayerReference>& layers);

}  // namespace ogni::service
