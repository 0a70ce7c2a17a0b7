// Checks JSON against shapes of the API model: types, lengths, patterns, enumerations, required members, with AWS's
// words for what is off. AWS ignores members that a shape does not name; keep_known_members() drops them.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/api/errors.h"
#include "service/api/members.h"

namespace ogni::service {

enum class Kind { kString, kInteger, kBoolean, kBlob, kList, kMap, kStructure };

struct Shape;

struct Member {
  std::string_view name;
  const Shape* shape = nullptr;
  enum class Presence { kOptional, kRequired } presence = Presence::kOptional;
};

struct Shape {
  Kind kind = Kind::kString;
  // Of a string's characters, a list's or map's entries, or an integer's value.
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  const char* pattern = nullptr;             // Perl's syntax, for the whole string, of 8 KiB at most
  std::span<const std::string_view> values;  // of an enumeration
  std::span<const Member> members;           // of a structure
  const Shape* element = nullptr;            // of a list; of a map's values
  const Shape* key = nullptr;                // of a map
  // AWS names "must not be null" among the constraints of a list's elements only where they were declared so.
  enum class Nulls { kUnnamed, kNamed } nulls = Nulls::kUnnamed;
  // The value is not repeated in messages.
  enum class Secrecy { kNone, kSensitive } secrecy = Secrecy::kNone;
  // The values that messages name, where they are not `values`: AWS lists fewer than it takes.
  std::span<const std::string_view> named_values = {};
};

// The body of a request. An empty body is an empty object. Errors: kInvalidRequestContent for what is not JSON or nests
// deeper than 32 levels; kSerialization for JSON that is not an object.
[[nodiscard]] ApiResult<boost::json::object> parse_body(std::string_view body);
// Drops every member that the structure does not name, at every level, and those that are null: what follows sees only
// members that validate() has checked.
void keep_known_members(boost::json::object& object, const Shape& structure);
// A whole request: parse_body(), keep_known_members(), validate().
[[nodiscard]] ApiResult<boost::json::object> parse_request(std::string_view body, const Shape& structure);
// Errors: kSerialization for a wrong type, kValidation for constraints, all of them in one message.
[[nodiscard]] ApiResult<void> validate(const boost::json::object& object, const Shape& structure);
// One string that did not come as JSON (a label, a query parameter, a header). `member` is spelled as in messages:
// "functionName".
[[nodiscard]] ApiResult<void> validate_text(std::string_view text, const Shape& shape, std::string_view member);
// Several of them, in one message.
struct TextCheck {
  std::string_view text;
  const Shape& shape;
  std::string_view member;
};
[[nodiscard]] ApiResult<void> validate_texts(std::span<const TextCheck> checks);
// A number of a query parameter.
[[nodiscard]] ApiResult<std::int64_t> validate_number(std::string_view text, const Shape& shape,
                                                      std::string_view member);

}  // namespace ogni::service
