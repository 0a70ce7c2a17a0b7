#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include "service/api/api.h"
#include "service/api/function_json.h"
#include "service/api/function_settings.h"
#include "service/api/shapes.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr int kRemovalTriesMax = 50;
constexpr std::chrono::milliseconds kRemovalPause{100};

// Why the API refuses what a change of the catalogue would have done; set on the catalogue's thread.
using Refusal = std::shared_ptr<std::optional<ApiError>>;

auto stop(const Refusal& refusal, ApiError error) {
  *refusal = std::move(error);
  return failure(ErrorCode::kInvalidArgument, "refused");
}

ApiResult<void> check_updatable(const FunctionTarget& target, const protocol::Home& home) {
  if (target.qualifier.empty() || target.qualifier == "$LATEST") return {};
  return refuse(function_not_found(home, target));
}

http::Response configuration(const protocol::Home& home, const catalogue::Function& function) {
  return {200, "application/json", json::serialize(function_configuration(home, function, "", Listing::kWhole))};
}

}  // namespace

asio::awaitable<Api::Answer> Api::update_function_code(http::Request& request) {
  const auto target = target_of(request, protocol::NameForm::kPlain);
  if (!target) co_return refuse(target.error());
  auto body = co_await read_body(request, shapes::kUpdateFunctionCode);
  if (!body) co_return refuse(std::move(body.error()));
  if (auto checked = check_updatable(*target, settings_.home); !checked) co_return refuse(std::move(checked.error()));
  if (auto checked = check_request(*body, settings_); !checked) co_return refuse(std::move(checked.error()));
  const auto known = co_await find_function(*target);
  if (!known) co_return refuse(known.error());

  const bool dry_run = flag_member(*body, "DryRun");
  const std::string revision_id(string_member(*body, "RevisionId"));
  const std::optional<std::string> architecture = architecture_of(*body);
  if (!revision_id.empty() && revision_id != known->latest->revision_id) {
    co_return refuse(commit_error(Error(ErrorCode::kPrecondition, ""), *target, "update code"));
  }
  auto stored = co_await store_code(std::move(*body));
  if (!stored) co_return refuse(std::move(stored.error()));
  if (dry_run) {
    if (auto fits = check_unzipped_size(*stored, known->latest->settings.layers); !fits) {
      co_return refuse(std::move(fits.error()));
    }
    catalogue::Function proposed = *known->latest;
    proposed.code = std::move(*stored);
    if (architecture) proposed.settings.architecture = *architecture;
    co_return configuration(settings_.home, proposed);
  }

  auto refusal = std::make_shared<std::optional<ApiError>>();
  auto change = [name = target->name, code = std::move(*stored), architecture, revision_id,
                 refusal](catalogue::Catalogue& catalogue) -> Result<catalogue::Function> {
    const Result<catalogue::Function> current = catalogue.function(name);
    if (!current) return current;
    if (auto fits = check_unzipped_size(code, current->settings.layers); !fits) {
      return stop(refusal, std::move(fits.error()));
    }
    return catalogue.update_code(name, code, architecture, revision_id);
  };
  Result<FunctionPointer> updated = co_await parts_.functions.commit(std::move(change));
  if (!updated) {
    if (*refusal) co_return refuse(std::move(**refusal));
    co_return refuse(commit_error(updated.error(), *target, "update code"));
  }
  http::Response response = configuration(settings_.home, **updated);
  activate(std::move(*updated));
  co_return response;
}

asio::awaitable<Api::Answer> Api::update_function_configuration(http::Request& request) {
  const auto target = target_of(request, protocol::NameForm::kPlain);
  if (!target) co_return refuse(target.error());
  auto body = co_await read_body(request, shapes::kUpdateFunctionConfiguration);
  if (!body) co_return refuse(std::move(body.error()));
  if (auto checked = check_updatable(*target, settings_.home); !checked) co_return refuse(std::move(checked.error()));
  Tags tags;
  if (settings_.roots != nullptr && find_member(*body, "Runtime") != nullptr) {
    if (const auto known = co_await find_function(*target)) tags = known->latest->tags;
  }
  if (auto checked = check_request(*body, settings_, tags); !checked) co_return refuse(std::move(checked.error()));

  auto refusal = std::make_shared<std::optional<ApiError>>();
  auto change = [name = target->name, changes = std::move(*body), home = settings_.home,
                 refusal](catalogue::Catalogue& catalogue) -> Result<catalogue::Function> {
    Result<catalogue::Function> current = catalogue.function(name);
    if (!current) return current;
    catalogue::FunctionSettings settings = std::move(current->settings);
    if (auto checked = check_logging(changes, settings); !checked) return stop(refusal, std::move(checked.error()));
    apply_settings(changes, settings);
    if (find_member(changes, "Layers") != nullptr) {
      auto layers = find_layers(changes, home, catalogue);
      if (!layers) return stop(refusal, std::move(layers.error()));
      settings.layers = std::move(*layers);
    }
    if (auto fits = check_unzipped_size(current->code, settings.layers); !fits) {
      return stop(refusal, std::move(fits.error()));
    }
    return catalogue.update_settings(name, settings, std::string(string_member(changes, "RevisionId")));
  };
  Result<FunctionPointer> updated = co_await parts_.functions.commit(std::move(change));
  if (!updated) {
    if (*refusal) co_return refuse(std::move(**refusal));
    co_return refuse(commit_error(updated.error(), *target, "update configuration"));
  }
  http::Response response = configuration(settings_.home, **updated);
  activate(std::move(*updated));
  co_return response;
}

// The disk is full, and what the function's own environments have written to /tmp may be what fills it.
asio::awaitable<Result<catalogue::Function>> Api::remove_making_room(const std::string& name) {
  const auto known = co_await parts_.functions.find(name);
  if (!known) co_return failure(known.error());
  parts_.invoker.retire_all(known->latest->instance);
  asio::steady_timer pause(parts_.executor);
  for (int tries = 1;; ++tries) {
    Result<catalogue::Function> removed = co_await parts_.functions.remove(name);
    const bool is_full = !removed && removed.error().code() == ErrorCode::kLimit;
    if (!is_full || tries == kRemovalTriesMax) co_return removed;
    pause.expires_after(kRemovalPause);  // an environment's end takes a moment
    co_await pause.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<Api::Answer> Api::delete_function(http::Request& request) {
  const auto target = target_of(request);
  if (!target) co_return refuse(target.error());
  if (target->qualifier == "$LATEST") {
    co_return refuse(ErrorType::kInvalidParameterValue,
                     "$LATEST version cannot be deleted without deleting the function.");
  }
  if (protocol::is_alias(target->qualifier)) {
    co_return refuse(ErrorType::kInvalidParameterValue, "Deletion of aliases is not currently supported.");
  }
  if (!target->qualifier.empty()) {
    // No function has versions yet. AWS answers the deletion of a version that is not there as a success.
    const auto known = co_await find_function({.name = target->name, .qualifier = {}});
    if (!known) co_return refuse(known.error());
    if (protocol::is_digits(target->qualifier)) co_return http::Response(204);
    co_return refuse(function_not_found(settings_.home, *target));
  }
  Result<catalogue::Function> removed = co_await parts_.functions.remove(target->name);
  if (!removed && removed.error().code() == ErrorCode::kLimit) removed = co_await remove_making_room(target->name);
  if (!removed) co_return refuse(commit_error(removed.error(), *target, "delete a function"));
  parts_.invoker.retire_all(removed->instance);
  co_return http::Response(204);
}

}  // namespace ogni::service
