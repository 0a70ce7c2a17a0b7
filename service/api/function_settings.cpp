#include "service/api/function_settings.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "protocol/limits.h"
#include "service/api/model.h"
#include "service/api/runtimes.h"
#include "service/roots.h"

namespace ogni::service {
namespace {

namespace json = boost::json;
namespace limits = protocol::limits;

// Source: AWS Lambda Developer Guide, "Defined runtime environment variables", the reserved ones.
constexpr std::array<std::string_view, 18> kReservedVariables{"_HANDLER",
                                                              "_X_AMZN_TRACE_ID",
                                                              "AWS_DEFAULT_REGION",
                                                              "AWS_REGION",
                                                              "AWS_EXECUTION_ENV",
                                                              "AWS_LAMBDA_FUNCTION_NAME",
                                                              "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                                                              "AWS_LAMBDA_FUNCTION_VERSION",
                                                              "AWS_LAMBDA_INITIALIZATION_TYPE",
                                                              "AWS_LAMBDA_LOG_GROUP_NAME",
                                                              "AWS_LAMBDA_LOG_STREAM_NAME",
                                                              "AWS_ACCESS_KEY",
                                                              "AWS_ACCESS_KEY_ID",
                                                              "AWS_SECRET_ACCESS_KEY",
                                                              "AWS_SESSION_TOKEN",
                                                              "AWS_LAMBDA_RUNTIME_API",
                                                              "LAMBDA_TASK_ROOT",
                                                              "LAMBDA_RUNTIME_DIR"};

// Members that would change what a function does, or cost, without doing it.
constexpr std::array<std::string_view, 5> kNotBuilt{"PublishTo", "TenancyConfig", "CapacityProviderConfig",
                                                    "DurableConfig", "SourceKMSKeyArn"};

std::string text(const json::value& value) { return std::string(text_of(value)); }

ApiResult<void> check_environment(const json::object& request) {
  const json::object* environment = object_member(request, "Environment");
  const json::object* variables = environment == nullptr ? nullptr : object_member(*environment, "Variables");
  if (variables == nullptr) return {};
  std::string reserved;
  for (const auto& variable : *variables) {
    const std::string_view name(variable.key().data(), variable.key().size());
    if (std::find(kReservedVariables.begin(), kReservedVariables.end(), name) != kReservedVariables.end()) {
      if (!reserved.empty()) reserved += ", ";
      reserved += name;
    }
    if (text(variable.value()).find('\0') != std::string::npos) {
      return refuse(ErrorType::kInvalidParameterValue,
                    "The value of an environment variable holds a NUL character: " + std::string(name));
    }
  }
  constexpr std::string_view kUnable =
      "Lambda was unable to configure your environment variables because the environment variables you have provided ";
  if (!reserved.empty()) {
    return refuse(ErrorType::kInvalidParameterValue,
                  std::string(kUnable) +
                      "contains reserved keys that are currently not supported for modification. Reserved keys used in "
                      "this request: " +
                      reserved);
  }
  const std::string printed = json::serialize(*variables);
  if (printed.size() > limits::kEnvironmentBytesMax) {
    return refuse(ErrorType::kInvalidParameterValue,
                  std::string(kUnable) + "exceeded the 4KB limit. String measured: " + printed);
  }
  return {};
}

// What is kept of the members that change nothing about how a function runs.
json::object inert_members(const catalogue::FunctionSettings& settings) {
  boost::system::error_code error;
  json::value stored = json::parse(settings.inert_json, error);
  json::object* members = error ? nullptr : stored.if_object();
  return members == nullptr ? json::object() : std::move(*members);
}

void keep_vpc(const json::object& request, json::object& inert) {
  const json::object* vpc = object_member(request, "VpcConfig");
  if (vpc == nullptr) return;
  const auto list = [vpc](std::string_view name) {
    const json::array* found = list_member(*vpc, name);
    return found == nullptr ? json::array() : *found;
  };
  json::array subnets = list("SubnetIds");
  json::array groups = list("SecurityGroupIds");
  // A function that never was in a VPC says nothing of one; one that was taken out of it keeps the empty lists.
  if (subnets.empty() && groups.empty() && !inert.contains("VpcConfig")) return;
  inert["VpcConfig"] = {{"SubnetIds", std::move(subnets)},
                        {"SecurityGroupIds", std::move(groups)},
                        {"VpcId", ""},
                        {"Ipv6AllowedForDualStack", flag_member(*vpc, "Ipv6AllowedForDualStack")}};
}

void keep_logging(const json::object& request, json::object& inert) {
  const json::object* given = object_member(request, "LoggingConfig");
  if (given == nullptr) return;
  json::object kept = take_object(inert, "LoggingConfig");
  for (const std::string_view name : {"LogFormat", "ApplicationLogLevel", "SystemLogLevel", "LogGroup"}) {
    if (const json::value* value = find_member(*given, name))
      kept[json::string_view(name.data(), name.size())] = *value;
  }
  if (string_member(kept, "LogFormat") == "JSON") {
    kept.emplace("ApplicationLogLevel", "INFO");
    kept.emplace("SystemLogLevel", "INFO");
  } else {
    kept.erase("ApplicationLogLevel");
    kept.erase("SystemLogLevel");
  }
  inert["LoggingConfig"] = std::move(kept);
}

void keep_inert(const json::object& request, catalogue::FunctionSettings& settings) {
  json::object inert = inert_members(settings);
  keep_vpc(request, inert);
  keep_logging(request, inert);
  if (const json::object* dead = object_member(request, "DeadLetterConfig")) {
    const std::string_view arn = string_member(*dead, "TargetArn");
    if (arn.empty()) {
      inert.erase("DeadLetterConfig");
    } else {
      inert["DeadLetterConfig"] = {{"TargetArn", json::string_view(arn.data(), arn.size())}};
    }
  }
  if (const json::value* key = find_member(request, "KMSKeyArn")) {
    if (text_of(*key).empty()) {
      inert.erase("KMSKeyArn");
    } else {
      inert["KMSKeyArn"] = *key;
    }
  }
  if (const json::array* systems = list_member(request, "FileSystemConfigs")) {
    if (systems->empty()) {
      inert.erase("FileSystemConfigs");
    } else {
      json::array kept;
      for (const json::value& system : *systems) {
        const json::object* given = system.if_object();
        if (given == nullptr) continue;
        kept.push_back({{"Arn", to_json_view(string_member(*given, "Arn"))},
                        {"LocalMountPath", to_json_view(string_member(*given, "LocalMountPath"))}});
      }
      inert["FileSystemConfigs"] = std::move(kept);
    }
  }
  if (const json::object* snap = object_member(request, "SnapStart")) {
    const std::string_view apply = string_member(*snap, "ApplyOn");
    inert["SnapStart"] = {{"ApplyOn", apply.empty() ? "None" : json::string_view(apply.data(), apply.size())},
                          {"OptimizationStatus", "Off"}};
  }
  if (const json::object* image = object_member(request, "ImageConfig")) {
    json::object kept;
    for (const std::string_view name : {"EntryPoint", "Command", "WorkingDirectory"}) {
      if (const json::value* value = find_member(*image, name))
        kept[json::string_view(name.data(), name.size())] = *value;
    }
    if (kept.empty()) {
      inert.erase("ImageConfigResponse");
    } else {
      inert["ImageConfigResponse"] = {{"ImageConfig", std::move(kept)}};
    }
  }
  settings.inert_json = json::serialize(inert);
}

ApiResult<RootPointer> root_of(const json::object& request, const ApiSettings& settings,
                               std::map<std::string, std::string> tags) {
  if (settings.roots == nullptr) return RootPointer();
  merge_tags(request, tags);
  auto root = settings.roots->find(tags);
  if (!root) return refuse(ErrorType::kInvalidParameterValue, root.error().message());
  return std::move(*root);
}

}  // namespace

ApiResult<void> check_request(const json::object& request, const ApiSettings& settings,
                              const std::map<std::string, std::string>& tags) {
  for (const std::string_view name : kNotBuilt) {
    const json::object* code = object_member(request, "Code");
    if (find_member(request, name) != nullptr || (code != nullptr && find_member(*code, name) != nullptr)) {
      return refuse(ErrorType::kNotImplemented, std::string(name) + " is not implemented by Ogni yet.");
    }
  }
  if (flag_member(request, "Publish")) {
    return refuse(ErrorType::kNotImplemented, "Publish (versions of functions) is not implemented by Ogni yet.");
  }
  if (const std::string_view arn = string_member(request, "CodeSigningConfigArn"); !arn.empty()) {
    return refuse(
        ErrorType::kCodeSigningConfigNotFound,
        "The code signing configuration cannot be found. Check that the provided configuration is not deleted: " +
            std::string(arn) + ".");
  }
  if (string_member(request, "PackageType") == "Image") {
    return refuse(ErrorType::kInvalidParameterValue,
                  "Ogni runs functions of PackageType Zip; it has no container images.");
  }
  if (find_member(request, "Runtime") != nullptr) {
    auto root = root_of(request, settings, tags);
    if (!root) return refuse(std::move(root.error()));
    if (auto checked = check_runtime(string_member(request, "Runtime"), settings, *root); !checked) return checked;
  }
  if (string_member(request, "Handler").find('\0') != std::string_view::npos) {
    return refuse(ErrorType::kInvalidParameterValue, "The handler holds a NUL character.");
  }
  if (const json::object* given = object_member(request, "Tags");
      given != nullptr && given->size() > limits::kTagsMax) {
    return refuse(ErrorType::kInvalidParameterValue, "Number of tags exceeds resource tag limit.");
  }
  return check_environment(request);
}

ApiResult<void> check_logging(const json::object& request, const catalogue::FunctionSettings& current) {
  const json::object* given = object_member(request, "LoggingConfig");
  if (given == nullptr) return {};
  if (find_member(*given, "ApplicationLogLevel") == nullptr && find_member(*given, "SystemLogLevel") == nullptr)
    return {};
  const json::object inert = inert_members(current);
  const json::object* kept = object_member(inert, "LoggingConfig");
  std::string_view format = string_member(*given, "LogFormat");
  if (format.empty() && kept != nullptr) format = string_member(*kept, "LogFormat");
  if (format == "JSON") return {};
  return refuse(ErrorType::kInvalidParameterValue,
                "LogLevel is not supported when LogFormat is set to \"Text\". "
                "Remove LogLevel from your request or change "
                "the LogFormat to \"JSON\" and try again.");
}

void merge_tags(const json::object& request, std::map<std::string, std::string>& tags) {
  const json::object* given = object_member(request, "Tags");
  if (given == nullptr) return;
  for (const auto& tag : *given) tags[std::string(to_view(tag.key()))] = text(tag.value());
}

std::optional<std::string> architecture_of(const json::object& request) {
  const json::array* given = list_member(request, "Architectures");
  if (given == nullptr || given->empty()) return {};
  return text(given->front());
}

void apply_settings(const json::object& request, catalogue::FunctionSettings& settings) {
  const auto take_text = [&request](std::string_view name, std::string& target) {
    if (const json::value* value = find_member(request, name)) target = text(*value);
  };
  take_text("Runtime", settings.runtime);
  take_text("Role", settings.role);
  take_text("Handler", settings.handler);
  take_text("Description", settings.description);
  const auto take_number = [](const json::object& from, std::string_view name, int& target) {
    if (const auto number = number_member(from, name)) target = static_cast<int>(*number);
  };
  take_number(request, "Timeout", settings.timeout_seconds);
  take_number(request, "MemorySize", settings.memory_mb);
  if (const json::object* storage = object_member(request, "EphemeralStorage")) {
    take_number(*storage, "Size", settings.ephemeral_storage_mb);
  }
  if (auto architecture = architecture_of(request)) settings.architecture = std::move(*architecture);
  if (const json::object* tracing = object_member(request, "TracingConfig")) {
    if (const json::value* mode = find_member(*tracing, "Mode")) settings.tracing_mode = text(*mode);
  }
  if (const json::object* environment = object_member(request, "Environment")) {
    std::map<std::string, std::string> variables;
    if (const json::object* given = object_member(*environment, "Variables")) {
      for (const auto& variable : *given) variables[std::string(variable.key())] = text(variable.value());
    }
    settings.environment = std::move(variables);
  }
  keep_inert(request, settings);
}

ApiResult<std::vector<catalogue::LayerReference>> find_layers(const json::object& request, const protocol::Home& home,
                                                              catalogue::Catalogue& catalogue) {
  std::vector<catalogue::LayerReference> layers;
  const json::array* given = list_member(request, "Layers");
  if (given == nullptr) return layers;
  if (given->size() > limits::kLayersMax) {
    return refuse(ErrorType::kInvalidParameterValue,
                  "Cannot reference more than " + std::to_string(limits::kLayersMax) + " layers.");
  }
  std::vector<std::pair<std::string, std::string>> seen;  // layer, ARN
  for (const json::value& entry : *given) {
    std::string arn = text(entry);
    const auto name = protocol::parse_layer_name(arn);
    if (!name || !name->version) {
      return refuse(ErrorType::kInvalidParameterValue, "Layer version " + arn + " does not exist.");
    }
    if (*name->region != home.region) {
      return refuse(ErrorType::kInvalidParameterValue,
                    "Layers are not in the same region as the function. Layers are expected to be in region " +
                        home.region + ".");
    }
    if (*name->account != home.account) {
      return refuse(ErrorType::kAccessDenied,
                    "User is not authorized to perform: lambda:GetLayerVersion on resource: " + arn +
                        " because no resource-based policy allows the lambda:GetLayerVersion action");
    }
    for (const auto& [layer, other] : seen) {
      if (layer == name->name) {
        return refuse(
            ErrorType::kInvalidParameterValue,
            "Two different versions of the same layer are not allowed to be referenced in the same function. " + other +
                " and " + arn + " are versions of the same layer.");
      }
    }
    seen.emplace_back(name->name, arn);
    auto found = catalogue.layer_version(std::string(name->name), *name->version);
    if (!found && found.error().code() == ErrorCode::kNotFound) {
      return refuse(ErrorType::kInvalidParameterValue, "Layer version " + arn + " does not exist.");
    }
    if (!found) return refuse(internal_error(found.error(), "look up a layer"));
    layers.push_back({.arn = std::move(arn), .code = std::move(found->code)});
  }
  return layers;
}

ApiResult<void> check_unzipped_size(const catalogue::CodeReference& code,
                                    const std::vector<catalogue::LayerReference>& layers) {
  std::uint64_t bytes = code.unzipped_bytes;
  for (const catalogue::LayerReference& layer : layers) bytes += layer.code.unzipped_bytes;
  if (bytes < limits::kUnzippedBytesMax) return {};
  return refuse(ErrorType::kInvalidParameterValue,
                "Unzipped size must be smaller than " + std::to_string(limits::kUnzippedBytesMax) + " bytes");
}

}  // namespace ogni::service
