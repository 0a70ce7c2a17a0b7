// JSON as it is: a value that keeps every number in its own digits and every member in its own order.
//
//   const ogni::json::Value event = ogni::json::parse(text);
//   if (const std::string* name = event["user"]["name"].string()) ...
//
// The typed events (<ogni/events.hpp>) keep in it what they have no member for. Target ogni::events. C++20, standard
// library only. Source: RFC 8259.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ogni::json {

class Value;
struct Member;

// parse() goes no deeper, so that no document can exhaust the stack.
inline constexpr std::size_t kDepthMax = 256;

// What parse() throws.
class SyntaxError : public std::runtime_error {
 public:
  // `offset` counts bytes from the start of the text.
  SyntaxError(const std::string& what, std::size_t offset);
  std::size_t offset() const { return offset_; }

 private:
  std::size_t offset_;
};

// A number in the digits it came with: nothing is lost that a double could not hold. Two are equal if their
// digits are.
struct Number {
  std::string text = "0";

  Number() = default;
  explicit Number(std::string digits) : text(std::move(digits)) {}  // must be a number as JSON writes it
  template <std::integral I>
    requires(!std::same_as<I, bool>)
  explicit Number(I value) : text(std::to_string(value)) {}
  explicit Number(double value);  // the shortest digits that give `value` back; 0 if it is not finite

  // Empty unless the number is an integer of that range: 12, 12.0 and 1.2e1 are, 1.5 is not.
  std::optional<std::int64_t> to_int64() const;
  // The nearest double; infinite beyond its range.
  double to_double() const;
  bool operator==(const Number&) const = default;
};

using Array = std::vector<Value>;

// Members in the order they came. A name that occurs twice is kept twice; the last one counts.
class Object {
 public:
  Object();
  Object(const Object&);
  Object(Object&&) noexcept;
  Object& operator=(const Object&);
  Object& operator=(Object&&) noexcept;
  ~Object();

  bool empty() const { return members_.empty(); }
  std::size_t size() const;
  std::vector<Member>& members() { return members_; }
  const std::vector<Member>& members() const { return members_; }
  // nullptr if there is none of that name.
  const Value* find(std::string_view name) const;
  // Replaces the member of that name, or adds it at the end.
  void set(std::string_view name, Value value);
  void append(std::string name, Value value);
  bool operator==(const Object&) const;

 private:
  std::vector<Member> members_;
};

class Value {
 public:
  Value() = default;  // null
  Value(std::nullptr_t) {}
  template <std::same_as<bool> B>
  Value(B boolean) : data_(boolean) {}
  template <std::integral I>
    requires(!std::same_as<I, bool>)
  Value(I number) : data_(Number(number)) {}
  Value(double number) : data_(Number(number)) {}
  Value(Number number) : data_(std::move(number)) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(Array items) : data_(std::move(items)) {}
  Value(Object members) : data_(std::move(members)) {}

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(data_); }
  // nullptr if the value is of another kind.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const Number* number() const { return std::get_if<Number>(&data_); }
  const std::string* string() const { return std::get_if<std::string>(&data_); }
  const Array* array() const { return std::get_if<Array>(&data_); }
  const Object* object() const { return std::get_if<Object>(&data_); }
  bool* boolean() { return std::get_if<bool>(&data_); }
  Number* number() { return std::get_if<Number>(&data_); }
  std::string* string() { return std::get_if<std::string>(&data_); }
  Array* array() { return std::get_if<Array>(&data_); }
  Object* object() { return std::get_if<Object>(&data_); }

  // "null", "a boolean", "a number", "a string", "an array" or "an object": for messages.
  std::string_view kind() const;
  // The member or item; null where there is none, so that a path can be followed without a check at each step.
  const Value& operator[](std::string_view name) const;
  const Value& operator[](std::size_t index) const;
  bool operator==(const Value&) const;

 private:
  std::variant<std::nullptr_t, bool, Number, std::string, Array, Object> data_ = nullptr;
};

struct Member {
  std::string name;
  Value value;
  bool operator==(const Member&) const = default;
};

// Throws SyntaxError for anything but one JSON text in UTF-8. An escaped half of a surrogate pair that stands alone
// becomes U+FFFD.
Value parse(std::string_view text);

// Without white space. Bytes of a string that are not UTF-8 become U+FFFD.
std::string write(const Value& value);

}  // namespace ogni::json
