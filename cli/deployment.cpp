#include "cli/deployment.h"

#include <boost/json/serialize.hpp>
#include <utility>

#include "cli/code.h"
#include "cli/output.h"

namespace ogni::cli {
namespace {

// Ogni has no IAM; the API wants the member, and functions may read it.
constexpr char kDefaultRole[] = "arn:aws:iam::000000000000:role/ogni";

Outcome<json::object> upload(ServiceClient& service, std::string_view method, const std::string& target,
                             const std::string& body, const std::string& zip) {
  ProgressLine progress("uploading");
  auto answer = service.call(method, target, body, [&](std::size_t sent) { progress.show(sent, body.size()); });
  if (!answer) return stop(explained(std::move(answer.error()), zip));
  return answer;
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

}  // namespace

Outcome<json::object> create_function(ServiceClient& service, const std::string& name, json::object settings,
                                      const std::string& zip) {
  for (const char* member : {"Runtime", "Handler"}) {
    if (settings.contains(member)) continue;
    return stop(ExitCode::kUsage, "a new function from a zip needs --runtime and --handler");
  }
  settings["FunctionName"] = name;
  if (!settings.contains("Role")) settings["Role"] = kDefaultRole;
  auto created = upload(service, "POST", "/2015-03-31/functions", with_zip(settings, "Code", zip), zip);
  if (!created) return created;
  return service.wait_until_settled(name);
}

Outcome<void> tag_function(ServiceClient& service, const json::object& configuration, const json::object& tags) {
  const std::string name = text_of(configuration, "FunctionName");
  if (auto settled = service.wait_until_settled(name); !settled) return stop(settled.error());
  auto done = service.call("POST", "/2017-03-31/tags/" + percent_encode(text_of(configuration, "FunctionArn")),
                           json::serialize(json::object{{"Tags", tags}}));
  if (!done) return stop(done.error());
  return {};
}

Outcome<json::object> update_function(ServiceClient& service, const std::string& name, const json::object& settings,
                                      const std::string& zip) {
  auto current = service.wait_until_settled(name);
  if (!current) return stop(current.error());
  json::object changed;
  for (const auto& [member, value] : settings) {
    if (!is_same(*current, member, value)) changed[member] = value;
  }
  if (!changed.empty()) {
    auto configured = service.call("PUT", function_target(name, "/configuration"), json::serialize(changed));
    if (!configured) return stop(configured.error());
    if (auto settled = service.wait_until_settled(name); !settled) return stop(settled.error());
  }
  auto uploaded = upload(service, "PUT", function_target(name, "/code"), with_zip({}, "", zip), zip);
  if (!uploaded) return stop(uploaded.error());
  return service.wait_until_settled(name);
}

}  // namespace ogni::cli
