// The Lambda API as the commands use it: JSON out, JSON in, failures with the exit code and words they end with.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/http_client.h"

namespace ogni::cli {

namespace json = boost::json;

// Where `options` and the environment say the service is: --endpoint-url, OGNI_ENDPOINT, AWS_ENDPOINT_URL_LAMBDA,
// AWS_ENDPOINT_URL, else http://127.0.0.1:4566.
[[nodiscard]] Outcome<Endpoint> find_endpoint(const CommonOptions& options);

class ServiceClient {
 public:
  explicit ServiceClient(Endpoint endpoint) : http_(std::move(endpoint)) {}
  [[nodiscard]] static Outcome<ServiceClient> open(const CommonOptions& options);

  // The JSON object that a 2xx answer carries; an empty one for an empty body. `body` is JSON text, or empty.
  [[nodiscard]] Outcome<json::object> call(std::string_view method, const std::string& target,
                                           std::string_view body = {}, const HttpClient::Progress& on_progress = {});
  [[nodiscard]] Outcome<json::object> get(const std::string& target) { return call("GET", target); }

  // GetFunctionConfiguration; nothing if there is no such function.
  [[nodiscard]] Outcome<std::optional<json::object>> find_function(const std::string& name);
  // Polls until the function is Active and its last update is over. Fails with the service's reason if either failed,
  // and after kSettleMax.
  [[nodiscard]] Outcome<json::object> wait_until_settled(const std::string& name);
  static constexpr std::chrono::seconds kSettleMax{120};

  // All items of a paged list, at most kListItemsMax. `target` has no query yet.
  [[nodiscard]] Outcome<json::array> list(const std::string& target, std::string_view member);
  static constexpr std::size_t kListItemsMax = 100'000;

  HttpClient& http() { return http_; }

 private:
  HttpClient http_;
};

// /2015-03-31/functions/NAME, NAME percent-encoded; `rest` is appended as it is.
std::string function_target(std::string_view name, std::string_view rest = {});

// Words and exit code for what the transport or the service said.
Failure to_failure(const Error& error);
Failure to_failure(const HttpResponse& response);

// Members of answers; empty or 0 where they are missing or of another type.
std::string text_of(const json::object& object, std::string_view member);
long long number_of(const json::object& object, std::string_view member);

// `request` with the zip in base64, as `{…,"ZipFile":"…"}` or, with `holder` given, `{…,"HOLDER":{"ZipFile":"…"}}`.
// Written by hand because a zip is large: one copy instead of three.
std::string with_zip(const json::object& request, std::string_view holder, std::string_view zip);

}  // namespace ogni::cli
