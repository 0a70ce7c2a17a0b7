// Checked access to the members of a JSON document. Everything in service/ that reads a document does it through these:
// Boost's get_object(), get_string() and the like end the process when the value is of another kind.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ogni::service {

inline boost::json::string_view to_json_view(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view to_view(boost::json::string_view text) { return {text.data(), text.size()}; }

// "" for a value that is no string, and the like.
std::string_view text_of(const boost::json::value& value);
bool is_true(const boost::json::value& value);
// Whole numbers, also those that are written like 3.0 or 3e2.
std::optional<std::int64_t> whole_number(const boost::json::value& value);

// Null counts as absent.
const boost::json::value* find_member(const boost::json::object& object, std::string_view name);
// These take a member of another kind as absent.
const boost::json::object* object_member(const boost::json::object& object, std::string_view name);
const boost::json::array* list_member(const boost::json::object& object, std::string_view name);
std::string_view string_member(const boost::json::object& object, std::string_view name);  // "" when absent
bool flag_member(const boost::json::object& object, std::string_view name);                // false when absent
std::optional<std::int64_t> number_member(const boost::json::object& object, std::string_view name);
// Takes the object in a member out; an empty one when absent.
boost::json::object take_object(boost::json::object& object, std::string_view name);

}  // namespace ogni::service
