#include "service/api/members.h"

#include <cmath>

namespace ogni::service {

namespace json = boost::json;

std::string_view text_of(const json::value& value) {
  const json::string* text = value.if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

bool is_true(const json::value& value) {
  const bool* flag = value.if_bool();
  return flag != nullptr && *flag;
}

std::optional<std::int64_t> whole_number(const json::value& value) {
  if (const std::int64_t* number = value.if_int64()) return *number;
  const double* number = value.if_double();
  if (number == nullptr || !(std::abs(*number) < 2e9) || *number != std::trunc(*number)) return {};
  return static_cast<std::int64_t>(*number);
}

const json::value* find_member(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(to_json_view(name));
  return found == nullptr || found->is_null() ? nullptr : found;
}

const json::object* object_member(const json::object& object, std::string_view name) {
  const json::value* found = find_member(object, name);
  return found == nullptr ? nullptr : found->if_object();
}

const json::array* list_member(const json::object& object, std::string_view name) {
  const json::value* found = find_member(object, name);
  return found == nullptr ? nullptr : found->if_array();
}

std::string_view string_member(const json::object& object, std::string_view name) {
  const json::value* found = find_member(object, name);
  return found == nullptr ? std::string_view() : text_of(*found);
}

bool flag_member(const json::object& object, std::string_view name) {
  const json::value* found = find_member(object, name);
  return found != nullptr && is_true(*found);
}

std::optional<std::int64_t> number_member(const json::object& object, std::string_view name) {
  const json::value* found = find_member(object, name);
  return found == nullptr ? std::nullopt : whole_number(*found);
}

json::object take_object(json::object& object, std::string_view name) {
  json::value* found = object.if_contains(to_json_view(name));
  json::object* taken = found == nullptr ? nullptr : found->if_object();
  return taken == nullptr ? json::object() : std::move(*taken);
}

}  // namespace ogni::service
