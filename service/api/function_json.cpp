#include "service/api/function_json.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "base/digest.h"
#include "service/api/members.h"

namespace ogni::service {
namespace {

namespace json = boost::json;

json::object to_json(const std::map<std::string, std::string>& entries) {
  json::object object;
  for (const auto& [key, value] : entries) object[key] = value;
  return object;
}

json::array to_json(const std::vector<std::string>& entries) {
  json::array list;
  for (const std::string& entry : entries) list.emplace_back(entry);
  return list;
}

void add_state(json::object& out, const catalogue::Function& function) {
  constexpr std::string_view kCreating = "The function is being created.";
  switch (function.state) {
    case catalogue::State::kPending:
      out["State"] = "Pending";
      out["StateReason"] = kCreating;
      out["StateReasonCode"] = "Creating";
      return;  // and no LastUpdateStatus yet
    case catalogue::State::kActive:
      out["State"] = "Active";
      break;
    case catalogue::State::kInactive:
      out["State"] = "Inactive";
      break;
    case catalogue::State::kFailed:
      out["State"] = "Failed";
      break;
  }
  switch (function.update_status) {
    case catalogue::UpdateStatus::kNone:
      break;
    case catalogue::UpdateStatus::kInProgress:
      out["LastUpdateStatus"] = "InProgress";
      out["LastUpdateStatusReason"] = kCreating;
      out["LastUpdateStatusReasonCode"] = "Creating";
      break;
    case catalogue::UpdateStatus::kSuccessful:
      out["LastUpdateStatus"] = "Successful";
      break;
    case catalogue::UpdateStatus::kFailed:
      out["LastUpdateStatus"] = "Failed";
      break;
  }
}

// Stored members, and what AWS answers for those that were never given.
void add_inert(json::object& out, const catalogue::Function& function) {
  boost::system::error_code error;
  json::value stored = json::parse(function.settings.inert_json, error);
  json::object* kept = error ? nullptr : stored.if_object();
  json::object members = kept == nullptr ? json::object() : std::move(*kept);
  if (!members.contains("SnapStart")) members["SnapStart"] = {{"ApplyOn", "None"}, {"OptimizationStatus", "Off"}};
  json::object logging = take_object(members, "LoggingConfig");
  if (!logging.contains("LogFormat")) logging["LogFormat"] = "Text";
  if (!logging.contains("LogGroup")) logging["LogGroup"] = "/aws/lambda/" + function.name;
  members["LoggingConfig"] = std::move(logging);
  for (auto& member : members) out[member.key()] = std::move(member.value());
}

}  // namespace

json::object function_configuration(const protocol::Home& home, const catalogue::Function& function,
                                    std::string_view qualifier, Listing listing) {
  const catalogue::FunctionSettings& settings = function.settings;
  json::object out;
  out["FunctionName"] = function.name;
  out["FunctionArn"] = protocol::function_arn(home, function.name, qualifier);
  out["Runtime"] = settings.runtime;
  out["Role"] = settings.role;
  out["Handler"] = settings.handler;
  out["CodeSize"] = function.code.zip_bytes;
  out["Description"] = settings.description;
  out["Timeout"] = settings.timeout_seconds;
  out["MemorySize"] = settings.memory_mb;
  out["LastModified"] = to_aws_timestamp(function.last_modified);
  out["CodeSha256"] = function.code.sha256_base64();
  out["Version"] = function.version;
  if (settings.environment) out["Environment"] = {{"Variables", to_json(*settings.environment)}};
  out["TracingConfig"] = {{"Mode", settings.tracing_mode}};
  out["RevisionId"] = function.revision_id;
  if (!settings.layers.empty()) {
    json::array layers;
    for (const catalogue::LayerReference& layer : settings.layers) {
      layers.push_back({{"Arn", layer.arn}, {"CodeSize", layer.code.zip_bytes}});
    }
    out["Layers"] = std::move(layers);
  }
  if (listing == Listing::kWhole) add_state(out, function);
  out["PackageType"] = settings.package_type;
  out["Architectures"] = {settings.architecture};
  out["EphemeralStorage"] = {{"Size", settings.ephemeral_storage_mb}};
  add_inert(out, function);
  if (listing == Listing::kWhole) {
    // AWS names the image of the runtime by a digest; ours names the runtime only, the same on every host.
    out["RuntimeVersionConfig"] = {
        {"RuntimeVersionArn", "arn:" + home.partition + ":lambda:" + home.region +
                                  "::runtime:" + to_hex(sha256("ogni runtime " + settings.runtime))}};
  }
  return out;
}

json::object layer_version_entry(const protocol::Home& home, const catalogue::LayerVersion& layer) {
  json::object out;
  out["LayerVersionArn"] = protocol::layer_version_arn(home, layer.layer_name, layer.version);
  out["Version"] = layer.version;
  out["Description"] = layer.description;
  out["CreatedDate"] = to_aws_timestamp(layer.created);
  if (!layer.compatible_runtimes.empty()) out["CompatibleRuntimes"] = to_json(layer.compatible_runtimes);
  if (!layer.compatible_architectures.empty()) {
    out["CompatibleArchitectures"] = to_json(layer.compatible_architectures);
  }
  if (!layer.license_info.empty()) out["LicenseInfo"] = layer.license_info;
  return out;
}

json::object layer_version_json(const protocol::Home& home, const catalogue::LayerVersion& layer,
                                std::string_view location) {
  json::object out;
  out["Content"] = {{"Location", json::string_view(location.data(), location.size())},
                    {"CodeSha256", layer.code.sha256_base64()},
                    {"CodeSize", layer.code.zip_bytes}};
  out["LayerArn"] = protocol::layer_arn(home, layer.layer_name);
  for (auto& member : layer_version_entry(home, layer)) out[member.key()] = std::move(member.value());
  return out;
}

}  // namespace ogni::service
