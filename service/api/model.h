// Checks JSON against shapes of the API model: types, lengths, patterns, enumerations, required members, with AWS's
// words for what is off. Members that a shape does not know are ignored, as AWS does.
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
};

// The body of a request. An empty body is an empty object. Errors: kInvalidRequestContent for what is not JSON or nests
// deeper than 32 levels; kSerialization for JSON that is not an object.
[[nodiscard]] ApiResult<boost::json::object> parse_body(std::string_view body);
// Errors: kSerialization for a wrong type, kValidation for constraints, all of them in one message.
[[nodiscard]] ApiResult<void> validate(const boost::json::object& object, const Shape& structure);
// One string that did not come as JSON (a label, a query parameter, a header). `member` is spelled as in messages:
// "functionName".
[[nodiscard]] ApiResult<void> validate_text(std::string_view text, const Shape& shape, std::string_view member);
// A number of a query parameter.
[[nodiscard]] ApiResult<std::int64_t> validate_number(std::string_view text, const Shape& shape,
                                                      std::string_view member);

// Members of a validated object; null counts as absent.
const boost::json::value* find_member(const boost::json::object& object, std::string_view name);
std::string_view string_member(const boost::json::object& object, std::string_view name);  // "" when absent

}  // namespace ogni::service
