#include "cli/deployment.h"

#include <boost/json/serialize.hpp>
#include <utility>

#include "cli/output.h"

namespace ogni::cli {
namespace {

// Ogni has no IAM; the API wants the member, and functions may read it.
constexpr char kDefaultRole[] = "arn:aws:iam::000000000000:role/ogni";

Outcome<json::object> upload(ServiceClient& service, std::string_view method, const std::string& target,
                             const std::string& body) {
  ProgressLine progress("uploading");
  return service.call(method, target, body, [&](std::size_t sent) { progress.show(sent, body.size()); });
}

Outcome<json::object> create(ServiceClient& service, const std::string& name, json::object settings,
                             const std::string& zip) {
  for (const char* member : {"Runtime", "Handler"}) {
    if (settings.contains(member)) continue;
    return stop(ExitCode::kUsage, "a new function from a zip needs --runtime and --handler");
  }
  settings["FunctionName"] = name;
  if (!settings.contains("Role")) settings["Role"] = kDefaultRole;
  return upload(service, "POST", "/2015-03-31/functions", with_zip(settings, "Code", zip));
}

// True if the configuration says already what the request would set.
bool is_same(const json::object& current, std::string_view member, const json::value& wanted) {
  const json::value* value = current.if_contains(member);
  if (member == "Layers") {
    json::array arns;
    if (value != nullptr && value->is_array()) {
      for (const json::value& layer : value->get_array()) {
        if (layer.is_object()) arns.emplace_back(text_of(layer.get_object(), "Arn"));
      }
    }
    return arns == wanted;
  }
  return value != nullptr && *value == wanted;
}

Outcome<void> update(ServiceClient& service, const std::string& name, const json::object& settings,
                     const std::string& zip) {
  if (auto settled = service.wait_until_settled(name); !settled) return stop(settled.error());
  auto code = upload(service, "PUT", function_target(name, "/code"), with_zip({}, "", zip));
  if (!code) return stop(code.error());
  json::object changed;
  for (const auto& [member, value] : settings) {
    if (!is_same(*code, member, value)) changed[member] = value;
  }
  if (changed.empty()) return {};
  if (auto settled = service.wait_until_settled(name); !settled) return stop(settled.error());
  auto configuration = service.call("PUT", function_target(name, "/configuration"), json::serialize(changed));
  if (!configuration) return stop(configuration.error());
  return {};
}

}  // namespace

Outcome<Deployed> deploy_function(ServiceClient& service, const std::string& name,
                                  const std::optional<json::object>& existing, json::object settings,
                                  const std::string& zip) {
  if (existing) {
    if (auto updated = update(service, name, settings, zip); !updated) return stop(updated.error());
  } else {
    if (auto created = create(service, name, std::move(settings), zip); !created) return stop(created.error());
  }
  auto configuration = service.wait_until_settled(name);
  if (!configuration) return stop(configuration.error());
  return Deployed{.configuration = std::move(*configuration), .is_new = !existing};
}

}  // namespace ogni::cli
