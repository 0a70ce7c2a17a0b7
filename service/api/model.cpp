#include "service/api/model.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/regex.hpp>
#include <charconv>
#include <map>

#include "base/text.h"
#include "base/utf8.h"

namespace ogni::service {
namespace {

namespace json = boost::json;

constexpr std::size_t kPatternTextMax = 8 * 1024;
constexpr std::size_t kPrintedValueMax = 1024;
constexpr std::size_t kViolationsMax = 10;

// FunctionName → functionName
std::string lower_first(std::string_view name) {
  std::string text(name);
  if (!text.empty()) text[0] = to_lower(text.substr(0, 1))[0];
  return text;
}

std::size_t count_characters(std::string_view utf8) {
  std::size_t count = 0;
  for (const char c : utf8) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

// Values as AWS's messages print them: lists [a, b], maps {k=v}.
void print(const json::value& value, std::string& out) {
  if (out.size() > kPrintedValueMax) return;
  if (const auto* text = value.if_string()) {
    out += utf8_prefix({text->data(), text->size()}, kPrintedValueMax);
  } else if (const auto* list = value.if_array()) {
    out += '[';
    for (std::size_t i = 0; i < list->size() && out.size() < kPrintedValueMax; ++i) {
      if (i > 0) out += ", ";
      print((*list)[i], out);
    }
    out += ']';
  } else if (const auto* object = value.if_object()) {
    out += '{';
    for (auto it = object->begin(); it != object->end() && out.size() < kPrintedValueMax; ++it) {
      if (it != object->begin()) out += ", ";
      out.append(it->key().data(), it->key().size());
      out += '=';
      print(it->value(), out);
    }
    out += '}';
  } else {
    out += json::serialize(value);
  }
}

std::string list_values(std::span<const std::string_view> values) {
  std::string text = "[";
  for (const std::string_view value : values) {
    if (text.size() > 1) text += ", ";
    text += value;
  }
  return text + "]";
}

std::string enum_constraint(const Shape& shape) {
  return "Member must satisfy enum value set: " +
         list_values(shape.named_values.empty() ? shape.values : shape.named_values);
}

// AWS's patterns are Java's, where the second '-' of [0-9-_] is itself; for Boost it has to be escaped.
std::string portable(std::string_view pattern) {
  constexpr std::string_view kRange = "0-9-";
  std::string text(pattern);
  for (std::size_t at = 0; (at = text.find(kRange, at)) != std::string::npos;) {
    text.insert(at + kRange.size() - 1, "\\");
    at += kRange.size() + 1;
  }
  return text;
}

// Patterns of one request, each compiled when it is first met.
class Patterns {
 public:
  bool matches(std::string_view text, const char* pattern) {
    if (text.size() > kPatternTextMax) return false;
    auto found = compiled_.find(pattern);
    if (found == compiled_.end()) found = compiled_.emplace(pattern, boost::regex(portable(pattern))).first;
    try {
      return boost::regex_match(text.begin(), text.end(), found->second);
    } catch (const std::runtime_error&) {
      return false;  // too complex: a text that fights the pattern does not match it
    }
  }

 private:
  std::map<const char*, boost::regex> compiled_;
};

// The constraints of a string's shape that `text` breaks, as "Member must …".
std::vector<std::string> broken_by(std::string_view text, const Shape& shape, Patterns& patterns) {
  std::vector<std::string> broken;
  const auto length = static_cast<std::int64_t>(count_characters(text));
  if (length > shape.max) {
    broken.push_back("Member must have length less than or equal to " + std::to_string(shape.max));
  }
  if (length < shape.min) {
    broken.push_back("Member must have length greater than or equal to " + std::to_string(shape.min));
  }
  if (shape.pattern != nullptr && !patterns.matches(text, shape.pattern)) {
    broken.push_back(std::string("Member must satisfy regular expression pattern: ") + shape.pattern);
  }
  if (!shape.values.empty() && std::find(shape.values.begin(), shape.values.end(), text) == shape.values.end()) {
    broken.push_back(enum_constraint(shape));
  }
  return broken;
}

// Every constraint of a string's shape, as messages about a list name all of them.
std::string all_constraints(const Shape& shape) {
  std::string text;
  const auto add = [&text](const std::string& constraint) {
    if (!text.empty()) text += ", ";
    text += constraint;
  };
  if (shape.max != std::numeric_limits<std::int64_t>::max()) {
    add("Member must have length less than or equal to " + std::to_string(shape.max));
  }
  if (shape.min != std::numeric_limits<std::int64_t>::min()) {
    add("Member must have length greater than or equal to " + std::to_string(shape.min));
  }
  if (shape.pattern != nullptr) add(std::string("Member must satisfy regular expression pattern: ") + shape.pattern);
  if (!shape.values.empty()) add(enum_constraint(shape));
  if (shape.nulls == Shape::Nulls::kNamed) add("Member must not be null");
  return text;
}

std::string_view kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "NULL_VALUE";
    case json::kind::bool_:
      return is_true(value) ? "TRUE_VALUE" : "FALSE_VALUE";
    case json::kind::int64:
    case json::kind::uint64:
      return "NUMBER_VALUE";
    case json::kind::double_:
      return "DECIMAL_VALUE";
    case json::kind::string:
      return "STRING_VALUE";
    case json::kind::array:
    case json::kind::object:
      return "COLLECTION";
  }
  return "VALUE";
}

class Validator {
 public:
  void structure(const json::object& object, const Shape& shape, const std::string& path) {
    for (const Member& member : shape.members) {
      const std::string name = (path.empty() ? "" : path + ".") + lower_first(member.name);
      if (const json::value* found = find_member(object, member.name)) {
        value(*found, *member.shape, name);
      } else if (member.presence == Member::Presence::kRequired) {
        violations_.push_back("Value null at '" + name + "' failed to satisfy constraint: Member must not be null");
      }
    }
  }

  void value(const json::value& value, const Shape& shape, const std::string& path) {
    switch (shape.kind) {
      case Kind::kString:
        return string(value, shape, path);
      case Kind::kInteger:
        return integer(value, shape, path);
      case Kind::kBlob:
        if (!value.is_string()) wrong_type(value, "a Blob");
        return;
      case Kind::kBoolean:
        if (!value.is_bool()) wrong_type(value, "a Boolean");
        return;
      case Kind::kList:
        return list(value, shape, path);
      case Kind::kMap:
        return map(value, shape, path);
      case Kind::kStructure:
        if (const auto* object = value.if_object()) return structure(*object, shape, path);
        return wrong_type(value, "a structure");
    }
  }

  ApiResult<void> result() {
    if (!type_error_.empty()) return refuse(ErrorType::kSerialization, type_error_);
    if (violations_.empty()) return {};
    std::string message =
        std::to_string(violations_.size()) + " validation error" + (violations_.size() == 1 ? "" : "s") + " detected: ";
    for (std::size_t i = 0; i < violations_.size() && i < kViolationsMax; ++i) {
      if (i > 0) message += "; ";
      message += violations_[i];
    }
    return refuse(ErrorType::kValidation, std::move(message));
  }

 private:
  void string(const json::value& value, const Shape& shape, const std::string& path) {
    const auto* text = value.if_string();
    if (text == nullptr) return wrong_type(value, "a String");
    for (const std::string& broken : broken_by({text->data(), text->size()}, shape, patterns_)) {
      violate(value, shape, path, broken);
    }
  }

  void integer(const json::value& value, const Shape& shape, const std::string& path) {
    const std::optional<std::int64_t> number = whole_number(value);
    if (!number) return wrong_type(value, "an Integer");
    if (*number > shape.max) {
      violate(value, shape, path, "Member must have value less than or equal to " + std::to_string(shape.max));
    }
    if (*number < shape.min) {
      violate(value, shape, path, "Member must have value greater than or equal to " + std::to_string(shape.min));
    }
  }

  void count(const json::value& value, std::size_t entries, const Shape& shape, const std::string& path) {
    const auto size = static_cast<std::int64_t>(entries);
    if (size > shape.max) {
      violate(value, shape, path, "Member must have length less than or equal to " + std::to_string(shape.max));
    }
    if (size < shape.min) {
      violate(value, shape, path, "Member must have length greater than or equal to " + std::to_string(shape.min));
    }
  }

  void list(const json::value& value, const Shape& shape, const std::string& path) {
    const auto* entries = value.if_array();
    if (entries == nullptr) return wrong_type(value, "a list");
    count(value, entries->size(), shape, path);
    bool good = true;
    for (std::size_t i = 0; i < entries->size(); ++i) {
      const json::value& entry = (*entries)[i];
      if (shape.element->kind != Kind::kString) {
        this->value(entry, *shape.element, path + "." + std::to_string(i + 1) + ".member");
      } else if (const auto* text = entry.if_string()) {
        good = good && broken_by({text->data(), text->size()}, *shape.element, patterns_).empty();
      } else if (entry.is_null() && shape.element->nulls == Shape::Nulls::kNamed) {
        good = false;
      } else {
        wrong_type(entry, "a String");
      }
    }
    // A list of runtimes is checked by AWS as a whole, outside of its model.
    const bool whole = !shape.element->named_values.empty();
    if (!good && whole) violate(value, shape, path, enum_constraint(*shape.element));
    if (!good && !whole) {
      violate(value, shape, path, "Member must satisfy constraint: [" + all_constraints(*shape.element) + "]");
    }
  }

  void map(const json::value& value, const Shape& shape, const std::string& path) {
    const auto* entries = value.if_object();
    if (entries == nullptr) return wrong_type(value, "a map");
    count(value, entries->size(), shape, path);
    bool keys = true;
    bool values = true;
    for (const auto& entry : *entries) {
      keys = keys && broken_by({entry.key().data(), entry.key().size()}, *shape.key, patterns_).empty();
      const auto* text = entry.value().if_string();
      if (text == nullptr) return wrong_type(entry.value(), "a String");
      values = values && broken_by({text->data(), text->size()}, *shape.element, patterns_).empty();
    }
    if (!keys) violate(value, shape, path, "Map keys must satisfy constraint: [" + all_constraints(*shape.key) + "]");
    if (!values)
      violate(value, shape, path, "Map value must satisfy constraint: [" + all_constraints(*shape.element) + "]");
  }

  void violate(const json::value& value, const Shape& shape, const std::string& path, const std::string& constraint) {
    std::string shown;
    if (shape.secrecy == Shape::Secrecy::kNone) {
      shown = "'";
      print(value, shown);
      shown += "' ";
    }
    violations_.push_back("Value " + shown + "at '" + path + "' failed to satisfy constraint: " + constraint);
  }

  void wrong_type(const json::value& value, std::string_view wanted) {
    if (!type_error_.empty()) return;
    if (value.is_object() || value.is_array()) {
      type_error_ = "Start of structure or map found where not expected.";
    } else {
      type_error_ = std::string(kind_of(value)) + " can not be converted to " + std::string(wanted);
    }
  }

  Patterns patterns_;
  std::vector<std::string> violations_;
  std::string type_error_;
};

// A value of another kind than its shape's stays as it is, for validate() to refuse.
void keep_known(json::value& value, const Shape& shape) {
  if (shape.kind == Kind::kStructure) {
    if (json::object* object = value.if_object()) keep_known_members(*object, shape);
  } else if (shape.kind == Kind::kList && shape.element->kind == Kind::kStructure) {
    json::array* entries = value.if_array();
    if (entries == nullptr) return;
    for (json::value& entry : *entries) keep_known(entry, *shape.element);
  }
}

}  // namespace

ApiResult<json::object> parse_body(std::string_view body) {
  if (body.empty()) return json::object();
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) {
    return refuse(ErrorType::kInvalidRequestContent, "Could not parse request body into json: " + error.message());
  }
  json::object* object = value.if_object();
  if (object == nullptr) return refuse(ErrorType::kSerialization, "Unexpected token: the body must be a JSON object.");
  return std::move(*object);
}

void keep_known_members(json::object& object, const Shape& structure) {
  json::object known;
  for (const Member& member : structure.members) {
    json::value* found = object.if_contains(to_json_view(member.name));
    if (found == nullptr || found->is_null()) continue;
    keep_known(*found, *member.shape);
    known.emplace(to_json_view(member.name), std::move(*found));
  }
  object = std::move(known);
}

ApiResult<json::object> parse_request(std::string_view body, const Shape& structure) {
  ApiResult<json::object> parsed = parse_body(body);
  if (!parsed) return parsed;
  keep_known_members(*parsed, structure);
  if (auto checked = validate(*parsed, structure); !checked) return refuse(std::move(checked.error()));
  return parsed;
}

ApiResult<void> validate(const json::object& object, const Shape& structure) {
  Validator validator;
  validator.structure(object, structure, "");
  return validator.result();
}

ApiResult<void> validate_text(std::string_view text, const Shape& shape, std::string_view member) {
  const TextCheck check{.text = text, .shape = shape, .member = member};
  return validate_texts({&check, 1});
}

ApiResult<void> validate_texts(std::span<const TextCheck> checks) {
  Validator validator;
  for (const TextCheck& check : checks) {
    validator.value(json::value(to_json_view(check.text)), check.shape, std::string(check.member));
  }
  return validator.result();
}

ApiResult<std::int64_t> validate_number(std::string_view text, const Shape& shape, std::string_view member) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return refuse(ErrorType::kSerialization, "STRING_VALUE can not be converted to an Integer");
  }
  Validator validator;
  validator.value(json::value(number), shape, std::string(member));
  if (auto checked = validator.result(); !checked) return refuse(std::move(checked.error()));
  return number;
}

}  // namespace ogni::service
