#include "cli/fake_lambda.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/digest.h"

namespace ogni::cli {
namespace {

namespace json = boost::json;

ScriptedReply error(int status, const std::string& type, const std::string& message) {
  return {.status = status,
          .body = json::serialize(json::object{{"Type", "User"}, {"message", message}}),
          .headers = {{"x-amzn-ErrorType", type}}};
}

void merge(json::object& function, const json::object& request) {
  for (const auto& [member, value] : request) {
    if (member == "Code" || member == "ZipFile") continue;
    if (member == "Layers") {
      json::array layers;
      for (const json::value& arn : value.as_array()) layers.push_back(json::object{{"Arn", arn}, {"CodeSize", 1}});
      function[member] = layers;
      continue;
    }
    function[member] = value;
  }
}

}  // namespace

ScriptedReply FakeLambda::operator()(const SeenRequest& request) {
  const bool is_create = request.line() == "POST /2015-03-31/functions";
  if (!is_create && !function) return error(404, "ResourceNotFoundException", "Function not found: x");
  if (request.method == "GET") {
    const bool is_settled = polls_left == 0;
    if (!is_settled) --polls_left;
    json::object answer = *function;
    answer["State"] = "Active";
    answer["LastUpdateStatus"] = is_settled ? "Successful" : "InProgress";
    if (is_settled && !failing_with.empty()) {
      answer["LastUpdateStatus"] = "Failed";
      answer["LastUpdateStatusReason"] = failing_with;
    }
    return {.body = json::serialize(answer)};
  }
  if (request.method == "POST" && !is_create) {
    return {.body = "1", .headers = {{"X-Amz-Executed-Version", "$LATEST"}}};
  }
  if (polls_left > 0) return error(409, "ResourceConflictException", "an update is in progress");
  const json::object body = json::parse(request.body).as_object();
  if (is_create) {
    function.emplace();
    zip = from_base64(body.at("Code").at("ZipFile").as_string()).value();
  } else if (body.contains("ZipFile")) {
    zip = from_base64(body.at("ZipFile").as_string()).value();
  }
  merge(*function, body);
  polls_left = polls_until_settled;
  return {.status = is_create ? 201 : 200, .body = json::serialize(*function)};
}

}  // namespace ogni::cli
