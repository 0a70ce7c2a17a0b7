#include "cli/service_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <thread>

#include "base/digest.h"
#include "base/text.h"
#include "cli/output.h"

namespace ogni::cli {
namespace {

constexpr std::chrono::milliseconds kPollMin{5};
constexpr std::chrono::milliseconds kPollMax{500};

std::string message_of(const HttpResponse& response) {
  boost::system::error_code error;
  const json::value body = json::parse(response.body, error);
  if (!error && body.is_object()) {
    for (const char* member : {"message", "Message"}) {
      if (std::string text = text_of(body.get_object(), member); !text.empty()) return printable(text, 2000);
    }
  }
  return fmt::format("HTTP status {}", response.status);
}

}  // namespace

Outcome<Endpoint> find_endpoint(const CommonOptions& options) {
  std::string url = options.endpoint_url;
  std::string source = "--endpoint-url";
  for (const char* name : {"OGNI_ENDPOINT", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"}) {
    const char* value = url.empty() ? std::getenv(name) : nullptr;
    if (value == nullptr || *value == '\0') continue;
    url = value;
    source = name;
  }
  if (url.empty()) return Endpoint{};
  auto endpoint = parse_endpoint(url);
  if (!endpoint) return stop(ExitCode::kUsage, source + ": " + endpoint.error().message());
  return *endpoint;
}

Outcome<ServiceClient> ServiceClient::open(const CommonOptions& options) {
  auto endpoint = find_endpoint(options);
  if (!endpoint) return stop(endpoint.error());
  return ServiceClient(std::move(*endpoint));
}

Failure to_failure(const Error& error) {
  return {.code = ExitCode::kUnreachable, .message = error.message(), .type = {}};
}

Failure to_failure(const HttpResponse& response) {
  const std::string_view type = response.header("x-amzn-ErrorType");
  Failure failure{.code = ExitCode::kRefused, .message = message_of(response), .type = {}};
  failure.type = printable(type.substr(0, type.find(':')), 100);
  if (failure.type.empty()) {
    failure.message += " from something that does not look like the Lambda API: is the endpoint right?";
  }
  return failure;
}

Outcome<json::object> ServiceClient::call(std::string_view method, const std::string& target, std::string_view body,
                                          const HttpClient::Progress& on_progress) {
  // Large code is unpacked before it is acknowledged, so this is longer than a control request otherwise needs.
  constexpr std::chrono::minutes kExchangeMax{5};
  auto response = http_.send({.method = std::string(method), .target = target, .headers = {}, .body = body},
                             kExchangeMax, on_progress);
  if (!response) return stop(to_failure(response.error()));
  if (response->status < 200 || response->status > 299) return stop(to_failure(*response));
  if (response->body.empty()) return json::object();
  boost::system::error_code error;
  json::value answer = json::parse(response->body, error);
  if (error || !answer.is_object()) {
    return stop(ExitCode::kRefused,
                "what answers at " + http_.endpoint().url() + " is not the Lambda API: no JSON object");
  }
  return std::move(answer.get_object());
}

Outcome<std::optional<json::object>> ServiceClient::find_function(const std::string& name) {
  auto found = get(function_target(name, "/configuration"));
  if (found) return std::optional<json::object>(std::move(*found));
  if (found.error().type == "ResourceNotFoundException") return std::optional<json::object>();
  return stop(found.error());
}

Outcome<json::object> ServiceClient::wait_until_settled(const std::string& name) {
  const auto deadline = std::chrono::steady_clock::now() + kSettleMax;
  auto pause = kPollMin;
  for (;;) {
    auto configuration = get(function_target(name, "/configuration"));
    if (!configuration) return configuration;
    const std::string state = text_of(*configuration, "State");
    const std::string update = text_of(*configuration, "LastUpdateStatus");
    if (state == "Failed") {
      return stop(ExitCode::kRefused, "the function failed: " + printable(text_of(*configuration, "StateReason"), 500));
    }
    if (update == "Failed") {
      return stop(ExitCode::kRefused,
                  "the update failed: " + printable(text_of(*configuration, "LastUpdateStatusReason"), 500));
    }
    if (state != "Pending" && update != "InProgress") return configuration;
    if (std::chrono::steady_clock::now() > deadline) {
      return stop(ExitCode::kUnreachable,
                  fmt::format("the function is still {} after {} s: try again later",
                              state == "Pending" ? "Pending" : "being updated", kSettleMax.count()));
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kPollMax);
  }
}

Outcome<json::array> ServiceClient::list(const std::string& target, std::string_view member) {
  json::array items;
  std::string marker;
  do {
    const std::string query = marker.empty() ? "" : "?Marker=" + percent_encode(marker);
    auto page = get(target + query);
    if (!page) return stop(page.error());
    if (json::value* part = page->if_contains(member); part != nullptr && part->is_array()) {
      for (json::value& item : part->get_array()) {
        if (item.is_object()) items.push_back(std::move(item));
      }
    }
    std::string next = text_of(*page, "NextMarker");
    if (next == marker) break;  // a service that repeats itself would never end
    marker = std::move(next);
  } while (!marker.empty() && items.size() < kListItemsMax);
  return items;
}

std::string function_target(std::string_view name, std::string_view rest) {
  return "/2015-03-31/functions/" + percent_encode(name) + std::string(rest);
}

std::string text_of(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

long long number_of(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

std::string with_zip(const json::object& request, std::string_view holder, std::string_view zip) {
  std::string text = json::serialize(request);
  text.pop_back();  // the closing brace
  if (!request.empty()) text += ',';
  if (!holder.empty()) text += '"' + std::string(holder) + "\":{";
  text += "\"ZipFile\":\"";
  text += to_base64(zip);
  text += holder.empty() ? "\"}" : "\"}}";
  return text;
}

}  // namespace ogni::cli
