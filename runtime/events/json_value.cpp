#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "ogni/json.hpp"
#include "runtime/events/json_writer.h"

namespace ogni::json {

namespace {

// 0.DIGITS times ten to the power of `point`, without zeros at either end; no digits is zero.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t point = 0;
};

// Empty if the exponent is beyond all measure.
std::optional<Decimal> decimal(std::string_view text) {
  Decimal result;
  result.negative = text.starts_with('-');
  if (result.negative) text.remove_prefix(1);
  const std::string_view mantissa = text.substr(0, text.find_first_of("eE"));
  std::int32_t exponent = 0;
  bool measured = true;
  if (mantissa.size() < text.size()) {
    std::string_view power = text.substr(mantissa.size() + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    measured = std::from_chars(power.data(), power.data() + power.size(), exponent).ec == std::errc();
  }
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  result.digits = mantissa.substr(0, point);
  if (point < mantissa.size()) result.digits += mantissa.substr(point + 1);
  const std::size_t zeros = std::min(result.digits.find_first_not_of('0'), result.digits.size());
  result.digits.erase(0, zeros);
  result.digits.erase(result.digits.find_last_not_of('0') + 1);
  if (result.digits.empty()) return result;
  if (!measured) return std::nullopt;
  result.point = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(zeros) + exponent;
  return result;
}

}  // namespace

Number::Number(double value) {
  if (!std::isfinite(value)) return;
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  if (error == std::errc()) text.assign(buffer, end);
}

std::optional<std::int64_t> Number::to_int64() const {
  constexpr std::int64_t kDigitsMax = 19;
  std::optional<Decimal> exact = decimal(text);
  if (!exact) return std::nullopt;
  if (exact->digits.empty()) return 0;
  if (exact->point < static_cast<std::int64_t>(exact->digits.size()) || exact->point > kDigitsMax) return std::nullopt;
  exact->digits.resize(static_cast<std::size_t>(exact->point), '0');
  if (exact->negative) exact->digits.insert(0, 1, '-');
  std::int64_t value = 0;
  const char* const end = exact->digits.data() + exact->digits.size();
  if (std::from_chars(exact->digits.data(), end, value).ec != std::errc()) return std::nullopt;
  return value;
}

double Number::to_double() const {
  double value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc()) return value;
  // from_chars does not say which end of the range was left.
  const std::optional<Decimal> exact = decimal(text);
  const bool small =
      exact ? exact->point <= 0 : text.find("e-") != std::string::npos || text.find("E-") != std::string::npos;
  const double magnitude = small ? 0 : std::numeric_limits<double>::infinity();
  return text.starts_with('-') ? -magnitude : magnitude;
}

Object::Object() = default;
Object::Object(const Object&) = default;
Object::Object(Object&&) noexcept = default;
Object& Object::operator=(const Object&) = default;
Object& Object::operator=(Object&&) noexcept = default;
Object::~Object() = default;

std::size_t Object::size() const { return members_.size(); }

const Value* Object::find(std::string_view name) const {
  const auto found = std::find_if(members_.rbegin(), members_.rend(), [&](const Member& m) { return m.name == name; });
  return found == members_.rend() ? nullptr : &found->value;
}

void Object::set(std::string_view name, Value value) {
  const auto found = std::find_if(members_.rbegin(), members_.rend(), [&](const Member& m) { return m.name == name; });
  if (found != members_.rend()) {
    found->value = std::move(value);
  } else {
    append(std::string(name), std::move(value));
  }
}

void Object::append(std::string name, Value value) { members_.push_back({std::move(name), std::move(value)}); }

bool Object::operator==(const Object& other) const { return members_ == other.members_; }

std::string_view Value::kind() const {
  constexpr std::string_view kKinds[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
  return kKinds[data_.index()];
}

namespace {

const Value& null() {
  static const Value value;
  return value;
}

}  // namespace

const Value& Value::operator[](std::string_view name) const {
  const Object* members = object();
  const Value* found = members == nullptr ? nullptr : members->find(name);
  return found == nullptr ? null() : *found;
}

const Value& Value::operator[](std::size_t index) const {
  const Array* items = array();
  return items == nullptr || index >= items->size() ? null() : (*items)[index];
}

bool Value::operator==(const Value& other) const { return data_ == other.data_; }

std::string write(const Value& value) {
  std::string out;
  events::append_json(out, value);
  return out;
}

}  // namespace ogni::json
