#include "catalogue/codec.h"

#include <array>
#include <boost/algorithm/hex.hpp>
#include <boost/json.hpp>
#include <iterator>
#include <utility>

namespace ogni::catalogue {

namespace json = boost::json;

namespace {

constexpr std::size_t kMarkerBytesMax = 2048;

constexpr std::array<std::pair<State, std::string_view>, 4> kStates{{{State::kPending, "Pending"},
                                                                     {State::kActive, "Active"},
                                                                     {State::kInactive, "Inactive"},
                                                                     {State::kFailed, "Failed"}}};
constexpr std::array<std::pair<UpdateStatus, std::string_view>, 4> kUpdateStatuses{
    {{UpdateStatus::kNone, "None"},
     {UpdateStatus::kInProgress, "InProgress"},
     {UpdateStatus::kSuccessful, "Successful"},
     {UpdateStatus::kFailed, "Failed"}}};

auto damaged() {
  return failure(ErrorCode::kInternal, "the database is damaged: a column has a value of no known form");
}

auto not_utf8() { return failure(ErrorCode::kInvalidArgument, "text is not UTF-8"); }

template <typename Table>
std::string_view name_in(const Table& table, auto value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return {};
}

template <typename Value, typename Table>
Result<Value> value_in(const Table& table, std::string_view text) {
  for (const auto& [value, name] : table) {
    if (name == text) return value;
  }
  return damaged();
}

std::string as_string(const json::string& text) { return {text.data(), text.size()}; }

}  // namespace

Result<std::string> to_json(const std::map<std::string, std::string>& values) {
  json::object object;
  for (const auto& [key, value] : values) {
    if (!is_utf8(key) || !is_utf8(value)) return not_utf8();
    object.emplace(key, value);
  }
  return json::serialize(object);
}

Result<std::string> to_json(const std::vector<std::string>& values) {
  json::array array;
  for (const auto& value : values) {
    if (!is_utf8(value)) return not_utf8();
    array.emplace_back(value);
  }
  return json::serialize(array);
}

Result<std::map<std::string, std::string>> map_from_json(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse({text.data(), text.size()}, error);
  if (error || !parsed.is_object()) return damaged();
  std::map<std::string, std::string> values;
  for (const auto& [key, value] : parsed.get_object()) {
    if (!value.is_string()) return damaged();
    values.emplace(std::string(key.data(), key.size()), as_string(value.get_string()));
  }
  return values;
}

Result<std::vector<std::string>> list_from_json(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse({text.data(), text.size()}, error);
  if (error || !parsed.is_array()) return damaged();
  std::vector<std::string> values;
  for (const auto& value : parsed.get_array()) {
    if (!value.is_string()) return damaged();
    values.push_back(as_string(value.get_string()));
  }
  return values;
}

std::string_view to_text(State state) { return name_in(kStates, state); }
std::string_view to_text(UpdateStatus status) { return name_in(kUpdateStatuses, status); }
Result<State> state_from_text(std::string_view text) { return value_in<State>(kStates, text); }
Result<UpdateStatus> update_status_from_text(std::string_view text) {
  return value_in<UpdateStatus>(kUpdateStatuses, text);
}

WallTime time_from_ms(long long epoch_ms) { return WallTime(std::chrono::milliseconds(epoch_ms)); }

std::string make_marker(std::string_view list, std::string_view last_key) {
  std::string bytes(list);
  bytes += '\n';
  bytes += last_key;
  return to_hex(bytes);
}

Result<std::string> read_marker(std::string_view list, std::string_view marker) {
  const auto foreign = [] {
    return failure(ErrorCode::kInvalidArgument, "the marker is not one that a list gave out");
  };
  if (marker.size() > kMarkerBytesMax) return foreign();
  std::string bytes;
  try {
    boost::algorithm::unhex(marker.begin(), marker.end(), std::back_inserter(bytes));
  } catch (const boost::algorithm::hex_decode_error&) {
    return foreign();
  }
  const std::string prefix = std::string(list) + '\n';
  if (!bytes.starts_with(prefix) || bytes.size() == prefix.size()) return foreign();
  if (make_marker(list, std::string_view(bytes).substr(prefix.size())) != marker) return foreign();
  return bytes.substr(prefix.size());
}

}  // namespace ogni::catalogue
