// Functions and layers as the API prints them.
#pragma once

#include <boost/json/object.hpp>

#include "catalogue/model.h"
#include "protocol/arn.h"

namespace ogni::service {

enum class Listing { kWhole, kListEntry };  // entries of lists have no state, no update status, no runtime version

// FunctionConfiguration. `qualifier` stands in the ARN if the caller named one.
boost::json::object function_configuration(const protocol::Home& home, const catalogue::Function& function,
                                           std::string_view qualifier, Listing listing);

// Members that both the answers about one layer version and the entries of lists have.
boost::json::object layer_version_entry(const protocol::Home& home, const catalogue::LayerVersion& layer);
// The answer of PublishLayerVersion and GetLayerVersion; `location` is the URL of its zip.
boost::json::object layer_version_json(const protocol::Home& home, const catalogue::LayerVersion& layer,
                                       std::string_view location);

}  // namespace ogni::service
